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

/* How long the counter alone is gone by before the kernel is asked again. */
#define ANCHOR_NS 10000000u
/* Two readings that are to be of one moment: with more between them somebody else had the
 * processor. Some 0.7 us, which over 10 ms puts the rate off by 70 ppm: 0.7 us again. */
#define SAME_MOMENT_TICKS 2000u

/* A moment that was read on both clocks, and the rate from there on. */
typedef struct anchor {
    uint64_t ticks;
    uint64_t ns;          /* 0: there is none */
    uint64_t valid_ticks; /* how far the rate carries; 0: it is not known */
    uint64_t ns_per_tick; /* in units of 2^-32 */
    uint64_t last_us;     /* what was told last */
} anchor;

/* In the thread's static block: found without a call. */
static _Thread_local anchor at __attribute__((tls_model("initial-exec")));

static bool counter_is_trusted;
static pthread_once_t looked = PTHREAD_ONCE_INIT;

/* The kernel watches the counters of all processors, and takes another clock when they
 * do not run evenly and together. */
static void look(void)
{
    char name[8] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    counter_is_trusted = read(fd, name, sizeof name) == 4 && memcmp(name, "tsc\n", 4) == 0;
    close(fd);
}

/* Asks the kernel, and drops an anchor: with the rate since the last one, when that is
 * neither too near for one nor so far that the machine may have slept since. */
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
