#ifndef WM_LOOP_H
#define WM_LOOP_H
#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* The event loop of one Lua state, for sockets, timers and child processes. Single-threaded. */
typedef struct wm_loop wm_loop;

/* NULL when out of memory. Free with wm_loop_free. */
wm_loop *wm_loop_new(void);
/* Adds a reference to the loop; wm_loop_free drops one. The loop is freed with the last one. */
void wm_loop_ref(wm_loop *loop);
void wm_loop_free(wm_loop *loop);
/* The libuv loop, which the loop owns. */
uv_loop_t *wm_loop_uv(wm_loop *loop);
/* False in a forked child: everything on the loop is the parent's. Timers, sockets and processes may be
 * freed there, without an effect on the parent, but the loop must not be iterated. Check it before
 * closing anything on the loop or writing to it. */
bool wm_loop_is_ours(wm_loop *loop);
/* A buffer of WM_LOOP_READ_BYTES that all connections share, for bytes that are read and passed on at
 * once. NULL when out of memory. */
#define WM_LOOP_READ_BYTES (64 * 1024)
uint8_t *wm_loop_read_bytes(wm_loop *loop);

/* A clean-up function for handles on the loop whose owner may not close them before the loop is freed. */
typedef struct wm_loop_end_hook {
    void (*end)(void *user); /* closes its handles; called at most once */
    void *user;
    wm_loop *loop; /* NULL: not registered */
    struct wm_loop_end_hook *next, *before;
} wm_loop_end_hook;
/* Has `end` called before the loop is freed. The struct is the caller's and must stay until then, or until
 * wm_loop_remove_end_hook. */
void wm_loop_add_end_hook(wm_loop *loop, wm_loop_end_hook *e);
void wm_loop_remove_end_hook(wm_loop_end_hook *e);

/* Runs one iteration: writes posted data, handles everything that is ready and, if nothing is, waits up
 * to `wait_us` microseconds (0: not at all; < 0: until something happens). Data that is posted
 * meanwhile is written by wm_loop_write or the next iteration. */
void wm_loop_iterate(wm_loop *loop, int64_t wait_us);
/* Writes posted data. Separate from wm_loop_iterate, so that a program's answers to several events go
 * into one write: each write costs some 10 us over loopback, whatever its size. */
void wm_loop_write(wm_loop *loop);
/* One iteration for a host that has little time: it does not wait, polls sockets at least once, and
 * begins no work that can be postponed after `deadline_us` (of wm_now_us). False when work is left for
 * the next iteration. */
bool wm_loop_iterate_until(wm_loop *loop, uint64_t deadline_us);
/* is_bounded: whether the current iteration has a deadline; is_late: whether it has passed, so that work
 * is to be postponed. Both are false in wm_loop_iterate. */
bool wm_loop_is_bounded(const wm_loop *loop);
bool wm_loop_is_late(const wm_loop *loop);
/* Notes activity: the current iteration polls once more; outside of one, the next iteration does not
 * wait. */
void wm_loop_note_activity(wm_loop *loop);

/* Work that an iteration does in pieces, after it has handled the sockets. */
typedef enum wm_work_state {
    WM_WORK_DONE,  /* nothing is left: do not call it again */
    WM_WORK_MORE,  /* call it again, in this iteration if there is time */
    WM_WORK_LATER, /* call it again in the next iteration */
} wm_work_state;
typedef struct wm_work {
    wm_work_state (*piece)(void *user); /* some microseconds; must not call Lua */
    void *user;
    struct wm_work *next;
    struct wm_work_queue *queue; /* NULL: not posted */
} wm_work;
/* Has the work done. The struct is the caller's and must stay until the work is done or withdrawn.
 * Posting it again before that changes nothing. */
void wm_loop_post(wm_loop *loop, wm_work *work);
/* The same for writing: wm_loop_write does it, both kinds of iterations before they poll sockets, and
 * wm_loop_iterate_until once more at its end. The piece is called once for each post, whatever it
 * returns. */
void wm_loop_post_write(wm_loop *loop, wm_work *work);
void wm_loop_withdraw(wm_work *work);

/* For hosts with an event loop of their own: a descriptor that is readable when an iteration has
 * something to do, and the microseconds after which one is due in any case (-1: never, 0: now). */
int wm_loop_fd(const wm_loop *loop);
int64_t wm_loop_timeout_us(wm_loop *loop);

/* Ends the wait of the current or the next iteration. `loop` is a wm_loop. May be called by signal
 * handlers and other threads while the loop exists. */
void wm_loop_wake(void *loop);
#endif
