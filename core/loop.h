#ifndef WM_LOOP_H
#define WM_LOOP_H
#include <stdint.h>
#include <uv.h>

struct lws_context;

/* The event loop that sockets, timers and child processes of one Lua state
 * share: one libuv loop and, once something connects, one libwebsockets
 * context on it. Single-threaded. */
typedef struct wm_loop wm_loop;

/* NULL when out of memory. Free with wm_loop_free, after everything on it. */
wm_loop *wm_loop_new(void);
void wm_loop_free(wm_loop *loop);
uv_loop_t *wm_loop_uv(wm_loop *loop);
/* The libwebsockets context, made at the first call; NULL when it cannot be
 * made. */
struct lws_context *wm_loop_lws(wm_loop *loop);
/* Services everything that is ready; when nothing is, waits up to `wait_us`
 * microseconds (0: does not wait; < 0: until something happens). */
void wm_loop_turn(wm_loop *loop, int64_t wait_us);
/* Ends the wait of a turn, or of the next one. Takes a wm_loop; may be called from signal
 * handlers and other threads while the loop is there. */
void wm_loop_wake(void *loop);
/* Monotonic time in microseconds; only differences mean something. Callable through
 * the FFI. */
__attribute__((visibility("default"))) uint64_t wm_now_us(void);
/* Unix time in milliseconds. */
uint64_t wm_wall_ms(void);
#endif
