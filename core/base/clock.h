#ifndef WM_CLOCK_H
#define WM_CLOCK_H
#include <stdint.h>

/* CLOCK_MONOTONIC in microseconds; within a thread it never goes back. It takes some 8 ns where the
 * kernel's clock source is the processor's time stamp counter, which is read without the barrier of
 * clock_gettime. */
__attribute__((visibility("default"))) uint64_t wm_now_us(void);
/* The same by clock_gettime alone, which signal handlers may call. */
uint64_t wm_now_us_in_signal(void);
/* Unix time in milliseconds. */
uint64_t wm_wall_ms(void);
#endif
