#ifndef WM_WALK_H
#define WM_WALK_H
#include "replica/merkle_answer.h"

/* A walk through the Merkle tree of a node: the places that have to be asked for, and those that were asked for and are
 * not answered yet. Bounded in requests and in memory: each place is visited at most once. A zeroed walk has ended.
 *
 * A v2 node does not answer for a leaf that was emptied after it was listed. No time limit can tell that from an answer
 * that is on its way. So the place above is asked for once more, which is called a *fence*: when nothing else is left to
 * ask, or when 64 other questions have been answered since. If the fence no longer lists the leaf, it
 * is empty. If it does, the leaf is asked for again, as answers may overtake each other; three times at most. */

#define WM_WALK_IN_FLIGHT 64u

typedef struct wm_walk_step {
    wm_merkle_place place;
    bool is_absent; /* nothing is there: the place is not asked for */
    bool is_fence;  /* the place was answered before; it is asked for because of those below it */
    bool is_fenced; /* in flight, and a fence is behind it */
    uint8_t tries;  /* how often a fence listed it while it was silent */
    uint64_t seen;  /* the arrivals before the first question about it, or about the place above an absent one */
    uint64_t sent_us;
    uint32_t number;  /* of the question; grows by one */
    uint32_t answers; /* to other questions, before it was asked */
} wm_walk_step;

typedef struct wm_walk {
    wm_walk_step *todo; /* NULL while no walk is under way */
    uint32_t todo_count;
    wm_walk_step in_flight[WM_WALK_IN_FLIGHT];
    uint32_t in_flight_count;
    wm_walk_step fence; /* in flight if is_fence */
    uint32_t asked;
    uint32_t answers;
    uint32_t unexplained; /* places that were silent to the end though they were listed */
} wm_walk;

/* Begins at the root. False when out of memory. */
bool wm_walk_begin(wm_walk *w);
/* Ends the walk, and frees its memory. Safe twice. */
void wm_walk_end(wm_walk *w);
/* Whether nothing is left, neither to be asked for nor in flight. */
bool wm_walk_is_over(const wm_walk *w);
/* Adds a place below one that was answered. */
void wm_walk_add(wm_walk *w, wm_merkle_place place, bool is_absent, uint64_t seen);
/* Drops what is still to be asked for: what is in flight is awaited, and what the node does not have is dealt with. */
void wm_walk_ask_no_more(wm_walk *w);
/* Takes the next step. One that is to be asked for is in flight from now on, with these arrivals before it.
 * False when there is none, or WM_WALK_IN_FLIGHT are in flight. */
bool wm_walk_next(wm_walk *w, uint64_t seen, uint64_t now_us, wm_walk_step *out);
/* The same for a fence. Call it when wm_walk_next gives nothing. */
bool wm_walk_next_fence(wm_walk *w, uint64_t seen, uint64_t now_us, wm_walk_step *out);
/* The question about this place could not be sent: it is to be asked for again. */
void wm_walk_put_back(wm_walk *w, wm_merkle_place place);
/* Whether the fence that is in flight asks for the place. */
bool wm_walk_is_fence(const wm_walk *w, wm_merkle_place place);
/* Whether the place was asked for and not answered. */
bool wm_walk_awaits(const wm_walk *w, wm_merkle_place place);
/* Takes an answered place out of those in flight. False when it was not. */
bool wm_walk_arrived(wm_walk *w, wm_merkle_place place, wm_walk_step *out);
/* Takes the answer to the fence: a bit for each place below that it lists. Those that are silent become absent, or
 * are asked for again. */
void wm_walk_fence_arrived(wm_walk *w, uint16_t listed);
/* Gives up what was sent before this time. The next walk finds what is there. */
void wm_walk_give_up(wm_walk *w, uint64_t before_us);
#endif
