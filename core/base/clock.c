#include "base/clock.h"

#include <stdbool.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t wm_now_us_in_signal(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000;
}

uint64_t wm_wall_ms(void)
{
    return clock_ns(CLOCK_REALTIME) / 1000000;
}

#ifdef __x86_64__

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

/* How long the time is taken from the counter alone, before the kernel's clock is read again. */
#define ANCHOR_NS 10000000u
/* Ticks at most between the readings of the two clocks (some 0.7 us): with more, the thread was interrupted
 * between them. An error of 0.7 us in a rate over 10 ms is 70 ppm, or 0.7 us until the next reading. */
#define SAME_MOMENT_TICKS 2000u

/* A moment that was read on both clocks, and the counter's rate since the one before. */
typedef struct anchor {
    uint64_t ticks;
    uint64_t ns;          /* 0: no anchor yet */
    uint64_t valid_ticks; /* ticks for which the rate may be used; 0: it is not known */
    uint64_t ns_per_tick; /* in units of 2^-32 */
    uint64_t last_us;     /* the time that was returned last */
} anchor;

/* In the thread's static TLS block: access needs no function call. */
static _Thread_local anchor at __attribute__((tls_model("initial-exec")));

static bool counter_is_trusted;
static pthread_once_t looked = PTHREAD_ONCE_INIT;

/* The kernel uses the counter as its clock only while all processors' counters are steady and in step. */
static void look(void)
{
    char name[8] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    counter_is_trusted = read(fd, name, sizeof name) == 4 && memcmp(name, "tsc\n", 4) == 0;
    close(fd);
}

/* Reads the kernel's clock and makes that the anchor. The rate is taken from the last anchor, unless that
 * is too close for precision, or so long ago that the machine may have slept. */
static uint64_t ask_kernel(void)
{
    pthread_once(&looked, look);
    uint64_t before = __rdtsc();
    uint64_t ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t ticks = __rdtsc();
    uint64_t since_ns = ns - at.ns;
    if (!counter_is_trusted || ticks - before > SAME_MOMENT_TICKS) return ns / 1000;
    if (at.ns != 0 && since_ns < ANCHOR_NS) return ns / 1000;
    at.valid_ticks = 0;
    uint64_t since_ticks = ticks - at.ticks;
    bool is_plausible = since_ticks > since_ns / 10 && since_ticks < since_ns * 10; /* 0.1 to 10 GHz */
    if (at.ns != 0 && since_ns < 100 * (uint64_t)ANCHOR_NS && is_plausible) {
        at.ns_per_tick = (since_ns << 32) / since_ticks;
        at.valid_ticks = ((uint64_t)ANCHOR_NS << 32) / at.ns_per_tick;
    }
    at.ticks = ticks;
    at.ns = ns;
    return ns / 1000;
}

uint64_t wm_now_us(void)
{
    uint64_t since = __rdtsc() - at.ticks;
    uint64_t us;
    if (since < at.valid_ticks) us = (at.ns + (since * at.ns_per_tick >> 32)) / 1000;
    else us = ask_kernel();
    if (us < at.last_us) return at.last_us;
    return at.last_us = us;
}

#else

uint64_t wm_now_us(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000;
}

#endif
