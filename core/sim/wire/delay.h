#ifndef SIM_DELAY_H
#define SIM_DELAY_H
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Things that happen later, and not at all when their owner is gone first. */

typedef struct sim_delay sim_delay;
typedef struct sim_delays {
    uv_loop_t *loop;
    sim_delay *first;
} sim_delays;

/* `bytes` is a copy that lives for the call. */
typedef void (*sim_delay_fn)(void *owner, const uint8_t *bytes, size_t len);

/* Calls fn(owner, copy of bytes) once, after `ms` milliseconds (less one at most: libuv counts whole
 * ones), from the loop. */
void sim_delay_call(sim_delays *list, uint64_t ms, sim_delay_fn fn, void *owner, const void *bytes, size_t len);
/* Forgets all calls of the list. */
void sim_delays_cancel(sim_delays *list);
#endif
