#ifndef WM_CONNECTION_H
#define WM_CONNECTION_H
#include "base/buffer.h"
#include "net/addresses.h"
#include "net/end_reason.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/url.h"

/* WebSocket connections. A transport has the settings that connections share, such as certificates and
 * limits. A connection reports to its owner by callbacks, in an iteration of the loop; they must not
 * call Lua. */
typedef struct wm_transport wm_transport;
typedef struct wm_connection wm_connection;

typedef struct wm_connection_end {
    wm_end_reason reason;
    int close_code;     /* the close code that was received; 0: no close frame */
    const char *detail; /* text with details, ""; valid during the call */
} wm_connection_end;

typedef struct wm_connection_events {
    /* The upgrade is done. `tls_us`: time of the TCP and TLS handshakes; 0 for ws://. */
    void (*opened)(void *user, uint64_t tls_us);
    /* One whole message, valid during the call. If `whole` is not empty, it holds the message, and the
     * owner may take its memory over and leave it empty. */
    void (*received)(void *user, const uint8_t *message, size_t len, bool text, wm_buffer *whole);
    /* A message above max_message was skipped; `description` is from wm_message_describe. */
    void (*too_large)(void *user, const uint8_t *description, size_t len);
    /* Bytes were received: those of a whole message, or at least 8 KiB of one. */
    void (*heard)(void *user, size_t len);
    /* One message can be written: append it to `out`, or nothing. Call wm_connection_want_write for the
     * next one; several small messages go into one write. */
    void (*writable)(void *user, wm_buffer *out);
    /* The socket has accepted the last byte of every message so far. */
    void (*written)(void *user);
    /* The connection ended. This is the last callback, and comes once unless the owner closed the
     * connection. The connection is freed after it. */
    void (*ended)(void *user, const wm_connection_end *end);
} wm_connection_events;

typedef struct wm_transport_options {
    wm_tls_files tls;            /* for wss:// */
    bool tls_verify;             /* false accepts any certificate: only on the user's request */
    const char *proxy;           /* "none" or the URL of a proxy; NULL: the proxy of the environment, if any */
    size_t max_message;          /* bytes of a received message; larger ones are skipped */
    uint64_t connect_timeout_us; /* from wm_connection_open to the end of the upgrade */
} wm_transport_options;

/* Copies all texts. NULL with the reason in `error` when a file cannot be used, or out of memory. Free
 * the transport after its last connection was closed. */
wm_transport *wm_transport_new(wm_loop *loop, const wm_transport_options *options, char *error, size_t size);
void wm_transport_free(wm_transport *t);

/* Starts to connect to these addresses of the host or, with NULL, to those from the system's resolver,
 * which runs in a thread of libuv. Several attempts race (RFC 8305): IPv4 and IPv6 addresses
 * alternately, the next one after 250 ms, or at once when one fails. The first to finish its upgrade is
 * the connection; the others are closed. Host header, TLS name and verification use the host of the
 * URL. With a proxy, the proxy's name is resolved and `addresses` is ignored. NULL when out of memory.
 * All other failures are reported by `ended`, never before this returns. */
wm_connection *wm_connection_open(wm_transport *t, const wm_url *url, const wm_addresses *addresses,
                                  const wm_connection_events *events, void *user);
/* Has `writable` called once a message can be written. */
void wm_connection_want_write(wm_connection *c);
/* Pauses (`held`) or resumes reading. Bytes that were read before, WM_LOOP_READ_BYTES at most, are still
 * reported. */
void wm_connection_pause_reading(wm_connection *c, bool held);
/* Bytes that wait in the socket, 0 while it is not open. A system call. */
size_t wm_connection_unread(const wm_connection *c);
/* A text that names the proxy, and the environment variable that chose it ("http://host:port of
 * http_proxy"), when this connection has no TLS, so that the proxy can read it. NULL for other
 * connections. Valid as long as the connection. */
const char *wm_connection_reading_proxy(const wm_connection *c);
/* Closes and frees the connection without a further callback. With close code 0 at once, without a
 * close frame. */
void wm_connection_close(wm_connection *c, int close_code);
#endif
