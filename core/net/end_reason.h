#ifndef WM_END_REASON_H
#define WM_END_REASON_H

/* Why a connection ended: X(NAME, "name for scripts", "text in docs/reference/errors.md"). */
#define WM_END_REASONS(X)                                                                         \
    X(CLOSED, "closed", "the server closed the connection")                                       \
    X(LOST, "lost", "the connection broke off without a close frame")                             \
    X(REFUSED, "refused", "nothing listens there, or the network refused the connection")         \
    X(DNS, "dns", "the host name has no address")                                                 \
    X(PROXY, "proxy", "the proxy did not let the connection through")                             \
    X(TLS, "tls", "the TLS handshake failed")                                                     \
    X(UPGRADE, "upgrade", "the server did not accept the WebSocket upgrade")                      \
    X(CONNECT_TIMEOUT, "connect_timeout", "no connection in time")                                \
    X(AUTH_TIMEOUT, "auth_timeout", "no answer to the authentication in time")                    \
    X(AUTH_FAILED, "auth_failed", "the server refused the token (AUTH_FAIL, or close code 4001)") \
    X(OVERLOADED, "overloaded", "the server is overloaded (close code 1013)")                     \
    X(BAD_FRAME, "bad_frame", "the server could not read what was sent to it (close code 1002)")  \
    X(HEARTBEAT, "heartbeat", "nothing was received for too long")                                \
    X(ACK_TIMEOUT, "ack_timeout", "a batch was not acknowledged in time")                         \
    X(PROTOCOL, "protocol", "the server sent something that is not the protocol")                 \
    X(LOCAL, "local", "closed by this side")

typedef enum wm_end_reason {
#define X(name, key, text) WM_END_##name,
    WM_END_REASONS(X)
#undef X
} wm_end_reason;

/* The name of a reason ("closed"). Static. */
const char *wm_end_reason_key(wm_end_reason reason);
#endif
