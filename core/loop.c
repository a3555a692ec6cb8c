#include "loop.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <time.h>

struct wm_loop {
    uv_loop_t uv;
    uv_timer_t bound; /* ends a turn that would wait for too long */
    uv_async_t woken; /* ends one from outside */
    struct lws_context *lws;
};

static void on_bound(uv_timer_t *timer)
{
    (void)timer; /* waking up is all it is for */
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

wm_loop *wm_loop_new(void)
{
    wm_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) return NULL;
    if (uv_loop_init(&loop->uv) != 0) {
        free(loop);
        return NULL;
    }
    if (uv_async_init(&loop->uv, &loop->woken, on_woken) != 0) {
        uv_loop_close(&loop->uv);
        free(loop);
        return NULL;
    }
    uv_unref((uv_handle_t *)&loop->woken); /* nothing to wait for */
    uv_timer_init(&loop->uv, &loop->bound);
    return loop;
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
    /* A name that is still looked up: libuv's thread will write here when it is done. */
    if (uv_loop_close(&loop->uv) != UV_EBUSY) free(loop);
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
    if (wait_us > 0) {
        uv_update_time(&loop->uv);
        uv_timer_start(&loop->bound, on_bound, (uint64_t)(wait_us + 999) / 1000, 0);
    }
    uv_run(&loop->uv, UV_RUN_ONCE);
    uv_timer_stop(&loop->bound);
}
