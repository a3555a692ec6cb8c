#ifndef WM_CONNECTION_H
#define WM_CONNECTION_H
#include "base/buffer.h"
#include "net/addresses.h"
#include "net/end_reason.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/url.h"

/* WebSocket connections. A transport is the settings that
 * connections share (certificates, size limit); a connection reports through
 * callbacks, which run inside wm_loop_turn and must not call Lua. */
typedef struct wm_transport wm_transport;
typedef struct wm_connection wm_connection;

typedef struct wm_connection_end {
    wm_end_reason reason;
    int close_code;     /* the WebSocket close code as it was sent, 0 when there was no close frame */
    const char *detail; /* more words, "" when there are none; valid for the call */
} wm_connection_end;

typedef struct wm_connection_events {
    /* `tls_us`: how long the TCP and TLS handshakes took; 0 for ws://. */
    void (*opened)(void *user, uint64_t tls_us);
    /* One whole message; the bytes are valid for the call. When they are those of
     * `whole`, its memory may be taken (and the buffer left empty); else it is empty. */
    void (*received)(void *user, const uint8_t *message, size_t len, bool text, wm_buffer *whole);
    /* A message above max_message went by; see wm_message_describe. */
    void (*too_large)(void *user, const uint8_t *description, size_t len);
    /* Bytes came: of a whole message, or at least 8 KiB of one. */
    void (*heard)(void *user, size_t len);
    /* The connection can take one message: append it to `out`, or nothing. Ask
     * again with wm_connection_want_write: several small ones leave in one write. */
    void (*writable)(void *user, wm_buffer *out);
    /* The kernel has taken the last byte of every message so far. */
    void (*written)(void *user);
    /* The last call for this connection, exactly once, unless the owner closed
     * it itself. The connection is freed afterwards. */
    void (*ended)(void *user, const wm_connection_end *end);
} wm_connection_events;

typedef struct wm_transport_options {
    wm_tls_files tls;        /* of wss:// */
    bool tls_verify;         /* false only when a person asked for it by name */
    const char *proxy;       /* "none" or the URL of a proxy; NULL: that of the environment, if any */
    size_t max_message;      /* bytes of one received message; a larger one is read past */
    uint64_t connect_timeout_us; /* from opening to the finished upgrade */
} wm_transport_options;

/* Texts are copied. NULL when a file cannot be used or there is no memory: `error` says
 * which. Free after the last connection was closed. */
wm_transport *wm_transport_new(wm_loop *loop, const wm_transport_options *options, char *error, size_t size);
void wm_transport_free(wm_transport *t);

/* Starts connecting to the given addresses of the host, or, with NULL, to those that
 * the system's resolver knows (asked in a thread of libuv's, so that the loop goes
 * on). The addresses are raced (RFC 8305): both families in turns, one more every
 * 250 ms while none has finished its upgrade and at once when one fails; the first
 * that has is the connection, the others are closed. Host header, TLS name and
 * verification are those of the URL. Through a proxy it is the proxy's name that is looked
 * up, and `addresses` is not used. NULL when out of memory. Everything else that
 * can go wrong arrives as `ended`, never before this call has returned. */
wm_connection *wm_connection_open(wm_transport *t, const wm_url *url, const wm_addresses *addresses,
                                  const wm_connection_events *events, void *user);
/* Asks for `writable`. */
void wm_connection_want_write(wm_connection *c);
/* Stops or goes on reading; what was read already (WM_LOOP_READ_BYTES at most) still comes. */
void wm_connection_hold(wm_connection *c, bool held);
/* The proxy of the environment that can read what this connection sends (a ws:// one), with
 * the name of the variable; NULL: there is none. Valid as long as the connection. */
const char *wm_connection_onlooker(const wm_connection *c);
/* Ends the connection from this side; no further callback comes and the pointer
 * is dead. With a close code of 0 at once and without a close frame. */
void wm_connection_close(wm_connection *c, int close_code);
#endif
