#ifndef WM_TRANSPORT_H
#define WM_TRANSPORT_H
#include "addresses.h"
#include "buffer.h"
#include "loop.h"
#include "url.h"

/* WebSocket connections, by libwebsockets. A transport is the settings that
 * connections share (certificates, size limit); a connection reports through
 * callbacks, which run inside wm_loop_turn and must not call Lua. */
typedef struct wm_transport wm_transport;
typedef struct wm_connection wm_connection;

/* Why a connection ended. The names are what scripts see. */
#define WM_END_REASONS(X)                                                     \
    X(CLOSED, "closed", "the server closed the connection")                  \
    X(LOST, "lost", "the connection broke off without a close frame")        \
    X(REFUSED, "refused", "nothing listens there, or the network said no")   \
    X(DNS, "dns", "the host name has no address")                            \
    X(TLS, "tls", "the TLS handshake failed")                                \
    X(UPGRADE, "upgrade", "the server did not accept the WebSocket upgrade") \
    X(CONNECT_TIMEOUT, "connect_timeout", "no connection in time")           \
    X(AUTH_TIMEOUT, "auth_timeout", "no answer to the authentication in time") \
    X(AUTH_FAILED, "auth_failed", "the server refused the token (AUTH_FAIL, or close code 4001)") \
    X(OVERLOADED, "overloaded", "the server has too much to do (close code 1013)") \
    X(BAD_FRAME, "bad_frame", "the server could not read what was sent to it (close code 1002)") \
    X(HEARTBEAT, "heartbeat", "nothing was heard for too long")              \
    X(ACK_TIMEOUT, "ack_timeout", "a batch was not acknowledged in time")    \
    X(PROTOCOL, "protocol", "the server sent something that is not the protocol") \
    X(LOCAL, "local", "closed by this side")

typedef enum wm_end_reason {
#define X(name, key, text) WM_END_##name,
    WM_END_REASONS(X)
#undef X
} wm_end_reason;

/* The key ("closed") and the sentence of a reason. Static. */
const char *wm_end_reason_key(wm_end_reason reason);
const char *wm_end_reason_text(wm_end_reason reason);

typedef struct wm_connection_end {
    wm_end_reason reason;
    int close_code;     /* the WebSocket close code, 0 when there was none; 1002 may be any of
                           1012 to 2999 (libwebsockets 4.1 tells no other for them) */
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
    /* Bytes came, of a message or of a part of one. */
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
    const char *ca_file;     /* PEM; NULL: the system's authorities */
    bool tls_verify;         /* false only when a person asked for it by name */
    size_t max_message;      /* bytes of one received message; a larger one is read past */
    uint64_t connect_timeout_us; /* from opening to the finished upgrade */
    bool light;              /* connections of little traffic: thousands of them, in little memory */
} wm_transport_options;

/* NULL when libwebsockets cannot be set up (an unreadable ca_file among the
 * reasons). Free after the last connection was closed. */
wm_transport *wm_transport_new(wm_loop *loop, const wm_transport_options *options);
void wm_transport_free(wm_transport *t);

/* Starts connecting to the given addresses of the host, or, with NULL, to those that
 * the system's resolver knows (asked in a thread of libuv's, so that the loop goes
 * on). The addresses are raced (RFC 8305): both families in turns, one more every
 * 250 ms while none has finished its upgrade and at once when one fails; the first
 * that has is the connection, the others are closed. Host header, TLS name and
 * verification are those of the URL. NULL when out of memory. Everything else that
 * can go wrong arrives as `ended`, never before this call has returned. */
wm_connection *wm_connection_open(wm_transport *t, const wm_url *url, const wm_addresses *addresses,
                                  const wm_connection_events *events, void *user);
/* Asks for `writable`. */
void wm_connection_want_write(wm_connection *c);
/* Stops or goes on reading; frames that the library holds already may still come. */
void wm_connection_hold(wm_connection *c, bool held);
/* Ends the connection from this side; no further callback comes and the pointer
 * is dead. With a close code of 0 at once and without a close frame. */
void wm_connection_close(wm_connection *c, int close_code);
#endif
