#ifndef WM_ATTEMPT_H
#define WM_ATTEMPT_H
#include "net/channel.h"
#include "net/end_reason.h"
#include "net/proxy.h"
#include "net/url.h"

/* One attempt to open a WebSocket at one address: TCP, the tunnel of a proxy, TLS, the upgrade. It ends
 * with one call of a handler, which may free it. */
typedef struct wm_attempt wm_attempt;

typedef struct wm_attempt_target {
    const wm_url *url;     /* the node; must stay as long as the attempt */
    const wm_proxy *proxy; /* `address` is this proxy's; NULL: it is the node's. Must stay, too */
    wm_tls_settings *tls;  /* for wss:// */
    const char *address;   /* numeric */
} wm_attempt_target;

typedef struct wm_attempt_handlers {
    /* The WebSocket is open; the owner gets the channel. `early`: bytes received after the answer to
     * the upgrade, valid during the call. `tls_us`: time of the TCP and TLS handshakes; 0 for ws://. */
    void (*opened)(void *user, wm_attempt *a, wm_channel *channel, const uint8_t *early, size_t len, uint64_t tls_us);
    /* `detail` is valid during the call. */
    void (*failed)(void *user, wm_attempt *a, wm_end_reason reason, const char *detail);
} wm_attempt_handlers;

/* NULL when it cannot begin, with the reason in `detail`. No handler is called before this returns. */
wm_attempt *wm_attempt_new(wm_loop *loop, const wm_attempt_target *target, const wm_attempt_handlers *handlers, void *user,
                           char *detail, size_t size);
/* Closes the channel, unless the owner has it, and frees the attempt. */
void wm_attempt_free(wm_attempt *a);
#endif
