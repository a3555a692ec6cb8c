#include "net/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/forks.h"

typedef struct wm_work_queue {
    wm_work *first, *last;
} work_queue;

struct wm_loop {
    uv_loop_t uv;
    uv_poll_t bound; /* a kernel timer (timerfd) that bounds an iteration's wait to the microsecond; libuv's timers count milliseconds */
    int bound_fd;
    uint64_t bound_us;    /* when the timer expires; 0: it is not set */
    uv_async_t woken;     /* ends an iteration's wait from another thread */
    unsigned forks;       /* the value of wm_forks when the loop was made */
    bool is_apart;        /* handles of the parent, in a child of a fork */
    wm_loop *left_before; /* another loop that was left to the parent */
    wm_loop_end_hook *end_hooks;
    uint8_t *read_bytes;
    uint32_t holders;     /* references, the owner's included */
    uint64_t deadline_us; /* of the current iteration; UINT64_MAX: none */
    bool moved;
    work_queue work;
    work_queue writes;  /* writes that are due */
    work_queue writing; /* writes that are under way */
};

static void on_bound(uv_poll_t *poll, int status, int events)
{
    uint64_t expirations;
    wm_loop *loop = poll->data;
    (void)status;
    (void)events;
    /* The callback has nothing to do: waking up was the purpose. */
    loop->bound_us = 0;
    if (read(loop->bound_fd, &expirations, sizeof expirations) < 0) return;
}

/* Bounds the wait to `us` microseconds. An earlier expiry, set by an earlier iteration, stays: at worst
 * one iteration ends early. Under load, where iterations seldom wait, that saves thousands of system
 * calls a second. */
static void set_bound(wm_loop *loop, int64_t us)
{
    uint64_t wanted = wm_now_us() + (uint64_t)us;
    if (loop->bound_us != 0 && loop->bound_us <= wanted) return;
    struct itimerspec when = {.it_value = {us / 1000000, us % 1000000 * 1000}};
    if (timerfd_settime(loop->bound_fd, 0, &when, NULL) == 0) loop->bound_us = wanted;
}

static void on_woken(uv_async_t *async)
{
    (void)async;
}

/* -- forks -- */

/* A child of a fork shares the parent's epoll instance: removing a socket from it would stop the parent's
 * events. So the child gets an instance of its own. */
bool wm_loop_is_ours(wm_loop *loop)
{
    if (loop->forks == wm_forks()) return true;
    if (!loop->is_apart) {
        loop->is_apart = true;
        uv_loop_fork(&loop->uv);
    }
    return false;
}

/* Running the loop to its end would read what the parent's child processes have written. So everything on
 * the loop stays as it is until the process ends. */
static void leave_to_parent(wm_loop *loop)
{
    static wm_loop *left;
    loop->left_before = left;
    left = loop;
}

/* -- SIGPIPE -------------------------------------------------------------------- */

/* Sockets are written to with MSG_NOSIGNAL; but libuv uses write() for the input of child processes, and
 * SIGPIPE would end this process when such a child is gone. The handler of SIGPIPE belongs to the host,
 * so the thread only blocks the signal while it is in here. */
typedef struct sigpipe_guard {
    sigset_t before;
    bool was_blocked;
} sigpipe_guard;

static sigpipe_guard block_sigpipe(void)
{
    sigpipe_guard g;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &g.before);
    g.was_blocked = sigismember(&g.before, SIGPIPE);
    return g;
}

/* A SIGPIPE that is pending now is from our own write: it is taken before it is unblocked. */
static void unblock_sigpipe(const sigpipe_guard *g)
{
    if (g->was_blocked) return;
    sigset_t pipe;
    struct timespec none = {0};
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    while (sigtimedwait(&pipe, NULL, &none) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}

/* Runs the loop without waiting until its handles are closed. */
static void run_out(wm_loop *loop)
{
    for (int i = 0; i < 1000 && uv_run(&loop->uv, UV_RUN_NOWAIT) != 0; i++) {
    }
}

void wm_loop_ref(wm_loop *loop)
{
    loop->holders++;
}

void wm_loop_free(wm_loop *loop)
{
    if (loop == NULL || --loop->holders > 0) return;
    if (!wm_loop_is_ours(loop)) {
        leave_to_parent(loop);
        return;
    }
    sigpipe_guard guard = block_sigpipe();
    uv_close((uv_handle_t *)&loop->bound, NULL);
    uv_close((uv_handle_t *)&loop->woken, NULL);
    while (loop->end_hooks != NULL) {
        wm_loop_end_hook *e = loop->end_hooks;
        wm_loop_remove_end_hook(e);
        e->end(e->user);
    }
    run_out(loop);
    free(loop->read_bytes);
    close(loop->bound_fd);
    loop->bound_fd = -1;
    /* A name look-up is still running: libuv's thread will write to the loop when it ends. */
    if (uv_loop_close(&loop->uv) != UV_EBUSY) free(loop);
    unblock_sigpipe(&guard);
}

wm_loop *wm_loop_new(void)
{
    wm_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) return NULL;
    loop->forks = wm_forks();
    loop->bound_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->bound_fd < 0 || uv_loop_init(&loop->uv) != 0) {
        if (loop->bound_fd >= 0) close(loop->bound_fd);
        free(loop);
        return NULL;
    }
    loop->bound.data = loop;
    if (uv_async_init(&loop->uv, &loop->woken, on_woken) != 0 ||
        uv_poll_init(&loop->uv, &loop->bound, loop->bound_fd) != 0 ||
        uv_poll_start(&loop->bound, UV_READABLE, on_bound) != 0) {
        close(loop->bound_fd); /* out of memory or descriptors; libuv's memory is not freed */
        return NULL;
    }
    uv_unref((uv_handle_t *)&loop->woken); /* there is nothing to wait for */
    uv_unref((uv_handle_t *)&loop->bound);
    loop->holders = 1;
    loop->deadline_us = UINT64_MAX;
    return loop;
}

uv_loop_t *wm_loop_uv(wm_loop *loop)
{
    return &loop->uv;
}

uint8_t *wm_loop_read_bytes(wm_loop *loop)
{
    if (loop->read_bytes == NULL) loop->read_bytes = malloc(WM_LOOP_READ_BYTES);
    return loop->read_bytes;
}

void wm_loop_add_end_hook(wm_loop *loop, wm_loop_end_hook *e)
{
    e->loop = loop;
    e->before = NULL;
    e->next = loop->end_hooks;
    if (e->next != NULL) e->next->before = e;
    loop->end_hooks = e;
}

void wm_loop_remove_end_hook(wm_loop_end_hook *e)
{
    if (e->loop == NULL) return;
    if (e->before != NULL) e->before->next = e->next;
    else e->loop->end_hooks = e->next;
    if (e->next != NULL) e->next->before = e->before;
    e->loop = NULL;
}

void wm_loop_wake(void *loop)
{
    uv_async_send(&((wm_loop *)loop)->woken);
}

/* -- work in pieces --------------------------------------------------------------- */

static void append(work_queue *q, wm_work *work)
{
    work->next = NULL;
    work->queue = q;
    if (q->last != NULL) q->last->next = work;
    else q->first = work;
    q->last = work;
}

void wm_loop_post(wm_loop *loop, wm_work *work)
{
    if (work->queue == NULL) append(&loop->work, work);
}

void wm_loop_post_write(wm_loop *loop, wm_work *work)
{
    if (work->queue == NULL) append(&loop->writes, work);
}

void wm_loop_withdraw(wm_work *work)
{
    work_queue *q = work->queue;
    if (q == NULL) return;
    wm_work **at = &q->first, *before = NULL;
    while (*at != work) {
        before = *at;
        at = &before->next;
    }
    *at = work->next;
    if (q->last == work) q->last = before;
    work->queue = NULL;
}

static wm_work *take_work(work_queue *q)
{
    wm_work *work = q->first;
    q->first = work->next;
    if (q->first == NULL) q->last = NULL;
    work->queue = NULL;
    return work;
}

/* Does the posted writes. Those that are posted meanwhile are done in the next iteration. */
static void do_writes(wm_loop *loop)
{
    while (loop->writes.first != NULL) append(&loop->writing, take_work(&loop->writes));
    while (loop->writing.first != NULL) {
        wm_work *work = take_work(&loop->writing);
        work->piece(work->user);
    }
}

/* Does the pieces of all posted work in turns, at least one piece, until all of it is done or postponed,
 * or the deadline has passed. True when something was done. */
static bool do_work(wm_loop *loop)
{
    bool any = false;
    wm_work *first_put_off = NULL;
    while (loop->work.first != NULL && loop->work.first != first_put_off) {
        wm_work *work = take_work(&loop->work);
        wm_work_state state = work->piece(work->user);
        if (state != WM_WORK_DONE) wm_loop_post(loop, work);
        if (state != WM_WORK_LATER) {
            any = true;
            first_put_off = NULL;
        } else if (first_put_off == NULL) {
            first_put_off = work;
        }
        if (wm_loop_is_late(loop)) break;
    }
    return any;
}

/* -- turning ---------------------------------------------------------------------- */

bool wm_loop_is_bounded(const wm_loop *loop)
{
    return loop->deadline_us != UINT64_MAX;
}

bool wm_loop_is_late(const wm_loop *loop)
{
    return wm_loop_is_bounded(loop) && wm_now_us() >= loop->deadline_us;
}

void wm_loop_note_activity(wm_loop *loop)
{
    loop->moved = true;
}

void wm_loop_iterate(wm_loop *loop, int64_t wait_us)
{
    if (!wm_loop_is_ours(loop)) return;
    sigpipe_guard guard = block_sigpipe();
    do_writes(loop);
    loop->moved = false;
    if (wait_us == 0 || loop->work.first != NULL) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    } else {
        if (wait_us > 0) {
            set_bound(loop, wait_us);
            uv_ref((uv_handle_t *)&loop->bound); /* so that the iteration waits for it */
        }
        uv_run(&loop->uv, UV_RUN_ONCE);
        uv_unref((uv_handle_t *)&loop->bound);
    }
    do_work(loop);
    loop->moved = false;
    unblock_sigpipe(&guard);
}

void wm_loop_write(wm_loop *loop)
{
    if (loop->writes.first == NULL || !wm_loop_is_ours(loop)) return;
    sigpipe_guard guard = block_sigpipe();
    do_writes(loop);
    unblock_sigpipe(&guard);
}

bool wm_loop_iterate_until(wm_loop *loop, uint64_t deadline_us)
{
    if (!wm_loop_is_ours(loop)) return true;
    sigpipe_guard guard = block_sigpipe();
    loop->deadline_us = deadline_us;
    do_writes(loop); /* before there is more to read than there is time: what is never sent is never acknowledged */
    do_work(loop);
    do {
        loop->moved = false;
        do_writes(loop);
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        if (do_work(loop)) loop->moved = true;
    } while (loop->moved && !wm_loop_is_late(loop));
    do_writes(loop);
    loop->deadline_us = UINT64_MAX;
    unblock_sigpipe(&guard);
    return loop->work.first == NULL && loop->writes.first == NULL && !loop->moved;
}

int wm_loop_fd(const wm_loop *loop)
{
    return uv_backend_fd(&loop->uv);
}

int64_t wm_loop_timeout_us(wm_loop *loop)
{
    if (loop->work.first != NULL || loop->writes.first != NULL || loop->moved) return 0;
    uv_update_time(&loop->uv);
    int ms = uv_backend_timeout(&loop->uv);
    return ms < 0 ? -1 : (int64_t)ms * 1000;
}
