#include "replica/walk.h"

#include <stdlib.h>

#define PLACES (1u + 16u + 256u + 4096u)
/* Questions about a place that is listed and silent. */
#define TRIES_MAX 3u
/* A place that is no leaf is fenced after so long: it is silent only if the node has listed the map anew. */
#define LATE_US 2000000u

bool wm_walk_begin(wm_walk *w)
{
    if (w->todo == NULL) w->todo = malloc(PLACES * sizeof *w->todo);
    if (w->todo == NULL) return false;
    w->in_flight_count = w->asked = w->answers = w->unexplained = 0;
    w->fence.is_fence = false;
    w->todo[0] = (wm_walk_step){0};
    w->todo_count = 1;
    return true;
}

void wm_walk_end(wm_walk *w)
{
    free(w->todo);
    w->todo = NULL;
    w->todo_count = w->in_flight_count = 0;
    w->fence.is_fence = false;
}

bool wm_walk_is_over(const wm_walk *w)
{
    return w->todo_count == 0 && w->in_flight_count == 0 && !w->fence.is_fence;
}

void wm_walk_add(wm_walk *w, wm_merkle_place place, bool is_absent, uint64_t seen)
{
    w->todo[w->todo_count++] = (wm_walk_step){.place = place, .is_absent = is_absent, .seen = seen};
}

void wm_walk_ask_no_more(wm_walk *w)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->todo_count; i++)
        if (w->todo[i].is_absent) w->todo[kept++] = w->todo[i];
    w->todo_count = kept;
}

static void number(wm_walk *w, wm_walk_step *step, uint64_t now_us)
{
    step->number = w->asked++;
    step->answers = w->answers;
    step->sent_us = now_us;
}

bool wm_walk_next(wm_walk *w, uint64_t seen, uint64_t now_us, wm_walk_step *out)
{
    if (w->todo_count == 0 || w->in_flight_count == WM_WALK_IN_FLIGHT) return false;
    *out = w->todo[--w->todo_count];
    if (out->is_absent) return true;
    if (out->tries == 0) out->seen = seen; /* else the answer may be to the first question */
    number(w, out, now_us);
    w->in_flight[w->in_flight_count++] = *out;
    return true;
}

/* -- fences ------------------------------------------------------------------------------ */

static bool is_below(const wm_walk_step *step, wm_merkle_place place)
{
    return step->place.depth == place.depth + 1 && step->place.digits >> 4 == place.digits;
}

/* Whether a place is unanswered for so long that it may have been emptied. */
static bool is_silent(const wm_walk *w, const wm_walk_step *step, uint64_t now_us)
{
    if (step->place.depth == 0) return false;
    if (now_us - step->sent_us >= LATE_US) return true;
    if (step->place.depth < WM_MERKLE_PATH_MAX) return false;
    return w->todo_count == 0 || w->answers - step->answers >= WM_WALK_IN_FLIGHT;
}

/* The silent place that was asked for first; NULL when there is none. */
static const wm_walk_step *oldest_silent(const wm_walk *w, uint64_t now_us)
{
    const wm_walk_step *first = NULL;
    for (uint32_t i = 0; i < w->in_flight_count; i++) {
        const wm_walk_step *step = &w->in_flight[i];
        if (is_silent(w, step, now_us) && (first == NULL || step->number < first->number)) first = step;
    }
    return first;
}

bool wm_walk_next_fence(wm_walk *w, uint64_t seen, uint64_t now_us, wm_walk_step *out)
{
    const wm_walk_step *step = w->fence.is_fence ? NULL : oldest_silent(w, now_us);
    if (step == NULL) return false;
    w->fence = (wm_walk_step){
        .place = {(uint8_t)(step->place.depth - 1), (uint16_t)(step->place.digits >> 4)}, .is_fence = true, .seen = seen};
    number(w, &w->fence, now_us);
    for (uint32_t i = 0; i < w->in_flight_count; i++)
        w->in_flight[i].is_fenced = is_below(&w->in_flight[i], w->fence.place);
    *out = w->fence;
    return true;
}

/* A place that is silent though it is listed. */
static void ask_again(wm_walk *w, const wm_walk_step *step)
{
    if (step->tries + 1u == TRIES_MAX) {
        w->unexplained++;
        return;
    }
    wm_walk_add(w, step->place, false, step->seen);
    w->todo[w->todo_count - 1].tries = (uint8_t)(step->tries + 1);
}

void wm_walk_fence_arrived(wm_walk *w, uint16_t listed)
{
    w->fence.is_fence = false;
    w->answers++;
    for (uint32_t i = w->in_flight_count; i-- > 0;) {
        wm_walk_step step = w->in_flight[i];
        if (!step.is_fenced) continue;
        w->in_flight[i] = w->in_flight[--w->in_flight_count];
        if (listed & 1u << (step.place.digits & 15)) ask_again(w, &step);
        else wm_walk_add(w, step.place, true, w->fence.seen);
    }
}

/* -- answers ----------------------------------------------------------------------------- */

static bool is_same(wm_merkle_place a, wm_merkle_place b)
{
    return a.depth == b.depth && a.digits == b.digits;
}

/* WM_WALK_IN_FLIGHT when it is not in flight. */
static uint32_t find(const wm_walk *w, wm_merkle_place place)
{
    for (uint32_t i = 0; i < w->in_flight_count; i++)
        if (is_same(w->in_flight[i].place, place)) return i;
    return WM_WALK_IN_FLIGHT;
}

void wm_walk_put_back(wm_walk *w, wm_merkle_place place)
{
    wm_walk_step step;
    if (wm_walk_is_fence(w, place)) w->fence.is_fence = false;
    else if (wm_walk_arrived(w, place, &step)) w->todo[w->todo_count++] = step;
}

bool wm_walk_is_fence(const wm_walk *w, wm_merkle_place place)
{
    return w->fence.is_fence && is_same(w->fence.place, place);
}

bool wm_walk_awaits(const wm_walk *w, wm_merkle_place place)
{
    return wm_walk_is_fence(w, place) || find(w, place) != WM_WALK_IN_FLIGHT;
}

bool wm_walk_arrived(wm_walk *w, wm_merkle_place place, wm_walk_step *out)
{
    uint32_t i = find(w, place);
    if (i == WM_WALK_IN_FLIGHT) return false;
    *out = w->in_flight[i];
    w->in_flight[i] = w->in_flight[--w->in_flight_count];
    w->answers++;
    return true;
}

void wm_walk_give_up(wm_walk *w, uint64_t before_us)
{
    if (w->fence.is_fence && w->fence.sent_us < before_us) w->fence.is_fence = false;
    for (uint32_t i = w->in_flight_count; i-- > 0;)
        if (w->in_flight[i].sent_us < before_us) w->in_flight[i] = w->in_flight[--w->in_flight_count];
}
