#ifndef WM_SYNC_H
#define WM_SYNC_H
#include "replica/holding.h"
#include "replica/walk.h"

/* Keeps a holding equal to what its node holds: compares the roots, and walks to the leaves that differ. It says
 * what is to be asked, and takes the answers; it neither sends nor reads a clock.
 *
 * A difference under traffic proves nothing, as events and answers overtake each other. So it is not walked
 * for before the events had time to arrive; if at any moment since the question was sent the holding had the
 * root that was answered, it was equal then. And a walk proves nothing either: the roots are compared again. */

typedef enum wm_sync_state {
    WM_SYNC_OFF,      /* no connection */
    WM_SYNC_WAITING,  /* for the time of the next comparison */
    WM_SYNC_ASKING,   /* for the root */
    WM_SYNC_MATCHING, /* the roots differed: for events that are on their way */
    WM_SYNC_WALKING,
} wm_sync_state;

typedef struct wm_sync_rhythm {
    uint64_t check_us; /* between comparisons while the map changes */
    uint64_t idle_us;  /* while it does not */
} wm_sync_rhythm;

typedef struct wm_sync wm_sync;

/* What a walk finds. They change the holding, by wm_holding_put and wm_holding_drop. */
typedef struct wm_sync_hooks {
    void *user;
    /* The node held this record when it answered the question of `step`. */
    void (*found)(void *user, wm_sync *s, const wm_map_event *record, const wm_walk_step *step);
    /* After all `found` of a leaf, or without them: the node held none of the leaf's other records, those
     * whose wm_record.seen is not above asked_seen. */
    void (*leaf_read)(void *user, wm_sync *s, uint32_t leaf, const wm_walk_step *step);
    /* The roots were equal at a time after `seen` arrivals. */
    void (*equal)(void *user, wm_sync *s, uint64_t seen);
    /* A walk is over. The roots may be equal now or not. */
    void (*walked)(void *user, wm_sync *s);
    /* On a new connection: the node holds nothing at all, and the holding does. */
    void (*came_up_empty)(void *user, wm_sync *s);
} wm_sync_hooks;

#define WM_SYNC_ROOTS 256u

struct wm_sync {
    wm_holding *holding; /* borrowed */
    const wm_sync_hooks *hooks;
    int node_index;
    int connection;
    wm_sync_state state;
    bool is_new;        /* the connection is, and the roots were not equal on it yet */
    bool is_hurried;    /* compare at once */
    bool is_short;      /* records of the node were refused since the roots were equal last: wm_sync_run_short */
    bool is_resting;    /* nothing is asked for, but the root now and then, as there is no room for answers */
    bool may_be_silent; /* the node does not answer for a leaf that was emptied: v2; set by the owner */
    uint32_t in_vain;   /* walks since the roots were equal last, or silent questions for the root */
    uint32_t idle;      /* of them, those in a row that found nothing: the node does not become equal by walks */
    bool has_found;     /* the walk under way has changed the holding; set by the hooks */
    uint32_t root;      /* as answered last */
    uint64_t asked_us;  /* when the root was asked for last */
    uint64_t asked_seen;
    uint64_t answer_us; /* what an answer about the root takes */
    uint64_t match_until_us;
    uint64_t changed_us;           /* the first change since then; 0: none */
    uint64_t event_us;             /* the last one */
    uint64_t equal_us;             /* they were last equal at this time or later; 0: never */
    uint32_t roots[WM_SYNC_ROOTS]; /* that the holding had since the question was sent */
    uint32_t root_count;
    wm_walk walk;
    uint64_t compares; /* figures */
    uint64_t walks;
    uint64_t requests;
    uint64_t refused; /* answers that were malformed, and places that were silent though they were listed */
};

void wm_sync_init(wm_sync *s, wm_holding *holding, const wm_sync_hooks *hooks, int node_index);
void wm_sync_close(wm_sync *s);
/* A connection on which the map's events arrive from now on; the roots are compared on it at once. */
void wm_sync_connected(wm_sync *s, int connection);
void wm_sync_disconnected(wm_sync *s);
/* Whether it is time to subscribe to the map's events where that holds up the answers to questions: the roots were
 * equal on the connection, or two walks did not make them so, as the map changes. Compare at once then. */
bool wm_sync_is_read(const wm_sync *s);
/* Call it after each change of the holding, and when the node has changed without it. */
void wm_sync_changed(wm_sync *s, uint64_t now_us);
/* Compares at the next wm_sync_next. */
void wm_sync_hurry(wm_sync *s);
/* There was no room for a record of the node. It is not walked for until wm_sync_resume: the root is compared as at rest, in
 * case the node has no more than the holding some day. */
void wm_sync_run_short(wm_sync *s);
/* There is room again. */
void wm_sync_resume(wm_sync *s);

typedef enum wm_sync_question {
    WM_ASK_NOTHING,
    WM_ASK_ROOT,
    WM_ASK_PLACE,
} wm_sync_question;
/* What may still be done now; what was done is subtracted. */
typedef struct wm_sync_budget {
    uint32_t leaves;   /* in which the node holds nothing */
    uint32_t compares; /* but for those that cannot wait */
} wm_sync_budget;
/* What is to be asked now; call it until it is WM_ASK_NOTHING. `seen`: arrivals so far. Places that hold nothing
 * are dealt with inside. */
wm_sync_question wm_sync_next(wm_sync *s, const wm_sync_rhythm *rhythm, uint64_t seen, uint64_t now_us,
                              wm_sync_budget *budget, wm_merkle_place *place);
/* The question that wm_sync_next gave last could not be sent. */
void wm_sync_not_sent(wm_sync *s, wm_sync_question question, wm_merkle_place place);
/* Whether an answer to a question of this sync. */
bool wm_sync_awaits(const wm_sync *s, const wm_message *m);
/* Takes the answer, which it awaits. False when it is malformed. */
bool wm_sync_take(wm_sync *s, const wm_message *m, uint64_t now_us);
#endif
