#ifndef WM_DIAL_H
#define WM_DIAL_H
#include "net/addresses.h"
#include "net/attempt.h"

/* Opens a channel to a node: resolves the host's name and races attempts at its addresses (RFC 8305),
 * until one is open or the connect timeout is over. Separate from wm_connection, which does not need
 * its state once it is open. */
typedef struct wm_dial wm_dial;

/* One of these is called once. The dial frees itself then: do not call wm_dial_end any more. */
typedef struct wm_dial_handlers {
    /* As in wm_attempt_handlers. */
    void (*opened)(void *user, wm_channel *channel, const uint8_t *early, size_t len, uint64_t tls_us);
    /* All attempts failed, or the timeout is over; `detail` is valid during the call. */
    void (*failed)(void *user, wm_end_reason reason, const char *detail);
} wm_dial_handlers;

typedef struct wm_dial_target {
    const wm_url *url;
    const wm_addresses *addresses; /* of its host; NULL: those from the system's resolver */
    const char *proxy;             /* option for wm_proxy_for */
    wm_tls_settings *tls;
    uint64_t timeout_us;
} wm_dial_target;

/* Begins in the next iteration of the loop. Copies `target`, but `tls` and `proxy` must outlive the
 * dial. NULL when out of memory. */
wm_dial *wm_dial_new(wm_loop *loop, const wm_dial_target *target, const wm_dial_handlers *handlers, void *user);
/* Closes all attempts and frees the dial, without calling a handler. */
void wm_dial_end(wm_dial *d);
/* The proxy that is used, NULL: none. Known once the dial has begun; valid as long as the dial. */
const wm_proxy *wm_dial_proxy(const wm_dial *d);
#endif
