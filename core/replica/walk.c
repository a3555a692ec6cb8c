#include "replica/walk.h"

#include <stdlib.h>

#define PLACES (1u + 16u + 256u + 4096u)

bool wm_walk_begin(wm_walk *w)
{
    if (w->todo == NULL) w->todo = malloc(PLACES * sizeof *w->todo);
    if (w->todo == NULL) return false;
    w->in_flight_count = 0;
    w->todo[0] = (wm_walk_step){0};
    w->todo_count = 1;
    return true;
}

void wm_walk_end(wm_walk *w)
{
    free(w->todo);
    w->todo = NULL;
    w->todo_count = w->in_flight_count = 0;
}

bool wm_walk_is_over(const wm_walk *w)
{
    return w->todo_count == 0 && w->in_flight_count == 0;
}

void wm_walk_add(wm_walk *w, wm_merkle_place place, bool is_absent, uint64_t seen)
{
    w->todo[w->todo_count++] = (wm_walk_step){.place = place, .is_absent = is_absent, .seen = seen};
}

bool wm_walk_next(wm_walk *w, uint64_t seen, uint64_t now_us, wm_walk_step *out)
{
    if (w->todo_count == 0 || w->in_flight_count == WM_WALK_IN_FLIGHT) return false;
    *out = w->todo[--w->todo_count];
    if (out->is_absent) return true;
    out->seen = seen;
    out->sent_us = now_us;
    w->in_flight[w->in_flight_count++] = *out;
    return true;
}

/* WM_WALK_IN_FLIGHT when it is not in flight. */
static uint32_t find(const wm_walk *w, wm_merkle_place place)
{
    for (uint32_t i = 0; i < w->in_flight_count; i++)
        if (w->in_flight[i].place.depth == place.depth && w->in_flight[i].place.digits == place.digits) return i;
    return WM_WALK_IN_FLIGHT;
}

void wm_walk_put_back(wm_walk *w, wm_merkle_place place)
{
    wm_walk_step step;
    if (wm_walk_arrived(w, place, &step)) wm_walk_add(w, place, false, 0);
}

bool wm_walk_awaits(const wm_walk *w, wm_merkle_place place)
{
    return find(w, place) != WM_WALK_IN_FLIGHT;
}

bool wm_walk_arrived(wm_walk *w, wm_merkle_place place, wm_walk_step *out)
{
    uint32_t i = find(w, place);
    if (i == WM_WALK_IN_FLIGHT) return false;
    *out = w->in_flight[i];
    w->in_flight[i] = w->in_flight[--w->in_flight_count];
    return true;
}

void wm_walk_give_up(wm_walk *w, uint64_t before_us)
{
    for (uint32_t i = w->in_flight_count; i-- > 0;)
        if (w->in_flight[i].sent_us < before_us) w->in_flight[i] = w->in_flight[--w->in_flight_count];
}
