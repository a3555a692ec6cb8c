#ifndef WM_LOOP_H
#define WM_LOOP_H
#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* The event loop that sockets, timers and child processes of one Lua state
 * share. Single-threaded. */
typedef struct wm_loop wm_loop;

/* NULL when out of memory. Free with wm_loop_free. */
wm_loop *wm_loop_new(void);
/* What lives on a loop holds it: it goes when it was freed and nothing holds it. */
void wm_loop_hold(wm_loop *loop);
void wm_loop_free(wm_loop *loop);
uv_loop_t *wm_loop_uv(wm_loop *loop);
/* False in a child of a fork: everything on the loop is the parent's. Its timers, sockets
 * and processes may be freed there, without an effect on the parent; the loop is not to
 * be turned. To be asked before anything on the loop is closed or written to. */
bool wm_loop_is_ours(wm_loop *loop);
/* Memory for what is read from a socket and passed on before the read returns: one for
 * all connections, WM_LOOP_READ_BYTES. NULL when out of memory. */
#define WM_LOOP_READ_BYTES (64 * 1024)
uint8_t *wm_loop_read_bytes(wm_loop *loop);

/* What is on the loop without an owner that would close it before the loop is freed. */
typedef struct wm_loop_ender {
    void (*end)(void *user); /* closes its handles; called at most once */
    void *user;
    wm_loop *loop; /* NULL: not registered */
    struct wm_loop_ender *next, *before;
} wm_loop_ender;
/* The struct is the caller's and must stay until `end` was called or it is forgotten. */
void wm_loop_at_end(wm_loop *loop, wm_loop_ender *e);
void wm_loop_forget_ender(wm_loop_ender *e);

/* Services everything that is ready; when nothing is, waits up to `wait_us`
 * microseconds (0: does not wait; < 0: until something happens). What is written is what
 * was there before: what came of this turn leaves with wm_loop_write or the next turn. */
void wm_loop_turn(wm_loop *loop, int64_t wait_us);
/* Writes what there is to write. Apart from the turn, so that what a program answers to
 * what has come goes with it in one write: each costs some 10 us over loopback, of whatever
 * size it is. */
void wm_loop_write(wm_loop *loop);
/* The turn of a host that has little time: does not wait, and begins nothing that can
 * wait once `deadline_us` (of wm_now_us) has passed. Sockets are looked at once at
 * least. False when work is left for the next turn. */
bool wm_loop_turn_until(wm_loop *loop, uint64_t deadline_us);
/* Whether the turn at hand has a deadline, and whether that has passed: what can wait
 * should. Both false in wm_loop_turn. */
bool wm_loop_is_bounded(const wm_loop *loop);
bool wm_loop_is_late(const wm_loop *loop);
/* Something was read or written, so there may be more at once; or, outside of a turn,
 * there is something to do for the next one. */
void wm_loop_moved(wm_loop *loop);

/* Work that a turn does in pieces, after the sockets were serviced. */
typedef enum wm_work_state {
    WM_WORK_DONE,  /* nothing is left: not called again */
    WM_WORK_MORE,  /* to be called again, in this turn if there is time */
    WM_WORK_LATER, /* to be called again in the next turn */
} wm_work_state;
typedef struct wm_work {
    wm_work_state (*piece)(void *user); /* some microseconds; must not call Lua */
    void *user;
    struct wm_work *next;
    struct wm_work_queue *queue; /* NULL: not posted */
} wm_work;
/* The struct is the caller's and must stay until it is done or withdrawn. Posting
 * twice is posting once. */
void wm_loop_post(wm_loop *loop, wm_work *work);
/* Work that a turn does before it looks at the sockets, so that nothing waits that could
 * have left, and once more at its end. Called once for each post, whatever it returns. */
void wm_loop_post_write(wm_loop *loop, wm_work *work);
void wm_loop_withdraw(wm_work *work);

/* For hosts with a poll loop of their own: a descriptor that is readable when a turn
 * has something to do, and the microseconds after which one has in any case (-1:
 * never, 0: now). */
int wm_loop_fd(const wm_loop *loop);
int64_t wm_loop_timeout_us(wm_loop *loop);

/* Ends the wait of a turn, or of the next one. Takes a wm_loop; may be called from signal
 * handlers and other threads while the loop is there. */
void wm_loop_wake(void *loop);
#endif
