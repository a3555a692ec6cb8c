#include "loop.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct wm_loop {
    uv_loop_t uv;
    uv_poll_t bound; /* ends a turn that would wait for too long: a timer of the kernel, to the
                        microsecond, where libuv's own count in milliseconds */
    int bound_fd;
    uv_async_t woken; /* ends one from outside */
    struct lws_context *lws;
};

static void on_bound(uv_poll_t *poll, int status, int events)
{
    uint64_t expirations;
    wm_loop *loop = poll->data;
    (void)status;
    (void)events;
    /* Waking up is all it is for. */
    if (read(loop->bound_fd, &expirations, sizeof expirations) < 0) return;
}

/* Arms the bound, or disarms it with 0; only an armed one keeps a turn waiting. */
static void set_bound(wm_loop *loop, int64_t us)
{
    if (us > 0) uv_ref((uv_handle_t *)&loop->bound);
    else uv_unref((uv_handle_t *)&loop->bound);
    struct itimerspec when = {.it_value = {us / 1000000, us % 1000000 * 1000}};
    timerfd_settime(loop->bound_fd, 0, &when, NULL);
}

static void on_woken(uv_async_t *async)
{
    (void)async;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t wm_now_us(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000;
}

uint64_t wm_wall_ms(void)
{
    return clock_ns(CLOCK_REALTIME) / 1000000;
}

/* Runs what is left to do, as far as it needs no waiting. */
static void run_out(wm_loop *loop)
{
    for (int i = 0; i < 1000 && uv_run(&loop->uv, UV_RUN_NOWAIT) != 0; i++) {
    }
}

void wm_loop_free(wm_loop *loop)
{
    if (loop == NULL) return;
    uv_close((uv_handle_t *)&loop->bound, NULL);
    uv_close((uv_handle_t *)&loop->woken, NULL);
    if (loop->lws != NULL) {
        /* On a foreign loop the destruction is in steps: lws closes its
         * handles, the loop has to run for that, then the rest goes. lws sets
         * our pointer to NULL when it is done. */
        lws_context_destroy(loop->lws);
        run_out(loop);
        if (loop->lws != NULL) lws_context_destroy(loop->lws);
    }
    run_out(loop);
    close(loop->bound_fd);
    loop->bound_fd = -1;
    /* A name that is still looked up: libuv's thread will write here when it is done. */
    if (uv_loop_close(&loop->uv) != UV_EBUSY) free(loop);
}

wm_loop *wm_loop_new(void)
{
    wm_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) return NULL;
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
        close(loop->bound_fd); /* out of memory or descriptors; what libuv has stays with it */
        return NULL;
    }
    uv_unref((uv_handle_t *)&loop->woken); /* nothing to wait for */
    uv_unref((uv_handle_t *)&loop->bound);
    return loop;
}

uv_loop_t *wm_loop_uv(wm_loop *loop)
{
    return &loop->uv;
}

struct lws_context *wm_loop_lws(wm_loop *loop)
{
    if (loop->lws != NULL) return loop->lws;
    lws_set_log_level(0, NULL); /* errors are reported by the transport, in words of its own */
    void *foreign[] = {&loop->uv};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .foreign_loops = foreign,
        .pcontext = &loop->lws,
        .pt_serv_buf_size = 64 * 1024,
    };
    loop->lws = lws_create_context(&info);
    return loop->lws;
}

void wm_loop_wake(void *loop)
{
    uv_async_send(&((wm_loop *)loop)->woken);
}

void wm_loop_turn(wm_loop *loop, int64_t wait_us)
{
    if (wait_us == 0) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        return;
    }
    if (wait_us > 0) set_bound(loop, wait_us);
    uv_run(&loop->uv, UV_RUN_ONCE);
    if (wait_us > 0) set_bound(loop, 0);
}
