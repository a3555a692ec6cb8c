#ifndef WM_ATTEMPT_H
#define WM_ATTEMPT_H
#include "net/channel.h"
#include "net/end_reason.h"
#include "net/proxy.h"
#include "net/url.h"

/* One address on the way to an open WebSocket: TCP, the tunnel of a proxy, TLS, the
 * upgrade. Ends with one call, in which it may be freed. */
typedef struct wm_attempt wm_attempt;

typedef struct wm_attempt_target {
    const wm_url *url;      /* the node; must stay as long as the attempt */
    const wm_proxy *proxy;  /* whose address is connected to; NULL: the node's own. Must stay, too */
    wm_tls_settings *tls;   /* for wss:// */
    const char *address;    /* numeric */
} wm_attempt_target;

typedef struct wm_attempt_handlers {
    /* It is open, and the channel is the owner's. `early` has come behind the answer to the
     * upgrade and is valid for the call. `tls_us`: how long the TCP and TLS handshakes took,
     * 0 for ws://. */
    void (*opened)(void *user, wm_attempt *a, wm_channel *channel, const uint8_t *early, size_t len, uint64_t tls_us);
    /* `detail` is valid for the call. */
    void (*failed)(void *user, wm_attempt *a, wm_end_reason reason, const char *detail);
} wm_attempt_handlers;

/* NULL when it cannot be begun: `detail` then says why. No handler is called before this
 * has returned. */
wm_attempt *wm_attempt_new(wm_loop *loop, const wm_attempt_target *target, const wm_attempt_handlers *handlers, void *user,
                           char *detail, size_t size);
/* Closes what is not the owner's, and frees. */
void wm_attempt_free(wm_attempt *a);
#endif
