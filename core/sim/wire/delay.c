#include "sim/wire/delay.h"

#include <stdlib.h>
#include <string.h>

#include "sim/wire/alloc.h"

struct sim_delay {
    uv_timer_t timer;
    sim_delay *next;
    sim_delay *prev;
    sim_delays *list;
    sim_delay_fn fn;
    void *owner;
    size_t len;
    uint8_t bytes[];
};

static void free_delay(uv_handle_t *timer)
{
    free(timer->data);
}

static void unlink_and_close(sim_delay *d)
{
    if (d->prev != NULL) d->prev->next = d->next;
    else d->list->first = d->next;
    if (d->next != NULL) d->next->prev = d->prev;
    uv_close((uv_handle_t *)&d->timer, free_delay);
}

static void on_due(uv_timer_t *timer)
{
    sim_delay *d = timer->data;
    unlink_and_close(d); /* frees later: the call may free the owner and its list */
    d->fn(d->owner, d->bytes, d->len);
}

static sim_delay *new_delay(sim_delays *list, sim_delay_fn fn, void *owner, const void *bytes, size_t len)
{
    sim_delay *d = sim_alloc(sizeof *d + len);
    d->list = list;
    d->fn = fn;
    d->owner = owner;
    d->len = len;
    if (len > 0) memcpy(d->bytes, bytes, len);
    d->next = list->first;
    if (list->first != NULL) list->first->prev = d;
    list->first = d;
    uv_timer_init(list->loop, &d->timer);
    d->timer.data = d;
    uv_update_time(list->loop); /* else the wait counts from when the loop last polled */
    return d;
}

void sim_delay_call(sim_delays *list, uint64_t ms, sim_delay_fn fn, void *owner, const void *bytes, size_t len)
{
    uv_timer_start(&new_delay(list, fn, owner, bytes, len)->timer, on_due, ms, 0);
}

void sim_delay_until(sim_delays *list, uint64_t due_ms, sim_delay_fn fn, void *owner, const void *bytes, size_t len)
{
    sim_delay *d = new_delay(list, fn, owner, bytes, len);
    uint64_t now_ms = uv_now(list->loop);
    uv_timer_start(&d->timer, on_due, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

void sim_delays_cancel(sim_delays *list)
{
    while (list->first != NULL) unlink_and_close(list->first);
}
