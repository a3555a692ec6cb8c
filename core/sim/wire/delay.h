#ifndef SIM_DELAY_H
#define SIM_DELAY_H
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Delayed calls. The owner of a list cancels it when it ends, so that no call reaches it later. */

typedef struct sim_delay sim_delay;
typedef struct sim_delays {
    uv_loop_t *loop;
    sim_delay *first;
} sim_delays;

/* `bytes` live until it returns. It may free the owner and its list. */
typedef void (*sim_delay_fn)(void *owner, const uint8_t *bytes, size_t len);

/* Copies `bytes`, and calls fn(owner, copy) once from the loop after `ms` milliseconds, or up to one
 * millisecond earlier: libuv's clock counts whole ones. */
void sim_delay_call(sim_delays *list, uint64_t ms, sim_delay_fn fn, void *owner, const void *bytes, size_t len);
/* The same at `due_ms` of the loop's clock, or as soon as that has passed: calls are made in the order in which
 * they are due, those that are due together in the order in which they were asked for. */
void sim_delay_until(sim_delays *list, uint64_t due_ms, sim_delay_fn fn, void *owner, const void *bytes, size_t len);
/* Cancels all calls of the list. */
void sim_delays_cancel(sim_delays *list);
#endif
