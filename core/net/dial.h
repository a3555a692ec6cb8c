#ifndef WM_DIAL_H
#define WM_DIAL_H
#include "net/addresses.h"
#include "net/attempt.h"

/* The way to an open connection: the look-up of the host's name, and a race of attempts
 * at its addresses (RFC 8305), until one is open or the patience is over. Apart from the
 * connection, which lives for long and needs nothing of it. */
typedef struct wm_dial wm_dial;

/* Either is the last call; the dial is freed by itself, and is not to be ended any more. */
typedef struct wm_dial_handlers {
    /* As wm_attempt_handlers. */
    void (*opened)(void *user, wm_channel *channel, const uint8_t *early, size_t len, uint64_t tls_us);
    /* All attempts have failed, or it took too long; `detail` is valid for the call. */
    void (*failed)(void *user, wm_end_reason reason, const char *detail);
} wm_dial_handlers;

typedef struct wm_dial_target {
    const wm_url *url;
    const wm_addresses *addresses; /* of its host; NULL: those that the system's resolver knows */
    const char *proxy;             /* as wm_proxy_for */
    wm_tls_settings *tls;
    uint64_t timeout_us;
} wm_dial_target;

/* Begins in the next turn of the loop. What `target` points to is copied, but for `tls` and
 * `proxy`, which have to outlive the dial. NULL when out of memory. */
wm_dial *wm_dial_new(wm_loop *loop, const wm_dial_target *target, const wm_dial_handlers *handlers, void *user);
/* Ends the race; no handler is called any more. */
void wm_dial_end(wm_dial *d);
/* The proxy that leads there, NULL: none. Valid as long as the dial; known once it has begun. */
const wm_proxy *wm_dial_proxy(const wm_dial *d);
#endif
