#ifndef WM_CLOCK_H
#define WM_CLOCK_H
#include <stdint.h>

/* Monotonic time in microseconds, of CLOCK_MONOTONIC; within a thread it never goes back.
 * Some 8 ns where the processor's time stamp counter is what the kernel itself counts by,
 * without the barrier that makes clock_gettime wait for all loads under way. */
__attribute__((visibility("default"))) uint64_t wm_now_us(void);
/* The same by a system call, where signal handlers may call it. */
uint64_t wm_now_us_in_signal(void);
/* Unix time in milliseconds. */
uint64_t wm_wall_ms(void);
#endif
