#ifndef WM_NODE_CONNECTION_H
#define WM_NODE_CONNECTION_H
#include "base/histogram.h"
#include "net/connection.h"
#include "wire/message.h"

/* One connection to a node: opening, authentication, heartbeat, messages in both directions. It is
 * idle, and may be opened again, when its WebSocket has ended. Part of a node pool (node_pool.h). */
typedef struct wm_node_connection wm_node_connection;

typedef enum wm_dialect {
    WM_DIALECT_UNKNOWN,
    WM_DIALECT_TS, /* the 0.11 server */
    WM_DIALECT_V2,
} wm_dialect;
/* "unknown", "0.11" or "v2". */
const char *wm_dialect_name(wm_dialect d);

/* Which server of its family answers. The releases of v2 differ where one reads (docs/protocol.md): in Merkle
 * trees, in queries, in what stays over a restart. Told by AUTH_ACK; where the server asks for no token, by the
 * answer to a DEVICE_HELLO, so that it is unknown until that has come, or a heartbeat later has not. */
typedef enum wm_release {
    WM_RELEASE_UNKNOWN,
    WM_RELEASE_0_11,
    WM_RELEASE_2_2_0, /* and older ones of v2 */
    WM_RELEASE_HEAD,  /* the source of August 2026, with or without disk storage */
} wm_release;
/* "unknown", "0.11", "2.2.0" or "head". */
const char *wm_release_name(wm_release r);

typedef enum wm_connection_state {
    WM_CONNECTION_IDLE,           /* neither connected nor connecting */
    WM_CONNECTION_CONNECTING,     /* TCP, TLS, upgrade */
    WM_CONNECTION_AUTHENTICATING, /* open; waits for the server or for a token */
    WM_CONNECTION_READY,
} wm_connection_state;

typedef struct wm_connection_loss {
    wm_end_reason reason;
    int close_code;
    const char *detail;
    bool was_ready;
    bool was_answered; /* a PONG was received on it */
} wm_connection_loss;

/* Callbacks to the owner, in an iteration of the loop. They must not call Lua.
 * `connection`: which one. */
typedef struct wm_node_connection_events {
    void (*auth_required)(void *user, int connection);
    void (*ready)(void *user, int connection);
    void (*lost)(void *user, int connection, const wm_connection_loss *loss);
    /* A message that the connection does not handle itself. Those of a BATCH come one by one. */
    void (*message)(void *user, int connection, const wm_message *m);
    /* A message above the transport's limit was not read; `description` is from wm_message_describe. */
    void (*too_large)(void *user, int connection, const uint8_t *description, size_t len);
    /* One map event of a SERVER_BATCH_EVENT. */
    void (*map_event)(void *user, int connection, const uint8_t *event, size_t len, const wm_message_cost *cost);
    /* Whether the owner takes more messages now. Called in iterations that have a deadline. */
    bool (*wants_more)(void *user);
    /* A text message (JSON). */
    void (*text)(void *user, int connection, const uint8_t *bytes, size_t len);
    /* The connection can take an OP_BATCH message: append it to `out`, or nothing. */
    void (*batch)(void *user, int connection, wm_buffer *out);
    /* While wm_node_pool_trace is on: each message, before it is read or after it was written. */
    void (*traced)(void *user, int connection, const uint8_t *message, size_t len, bool outward, bool text);
    /* The socket has accepted the last byte of all batches so far. */
    void (*batch_written)(void *user, int connection);
} wm_node_connection_events;

typedef struct wm_node_connection_options {
    uint64_t heartbeat_us;         /* interval of PINGs on an open connection */
    uint64_t heartbeat_timeout_us; /* a connection is half-open, and ends, when nothing was received for so long */
    uint64_t auth_timeout_us;      /* from sending the token to its answer */
    size_t max_queued_bytes;       /* of messages that wait to be sent on one connection */
} wm_node_connection_options;

/* Histograms for the times of connections, in microseconds; each may be NULL. */
typedef struct wm_connection_times {
    wm_histogram *connect;   /* from the start to the end of the upgrade: name, TCP, TLS, HTTP */
    wm_histogram *tls;       /* of that the TCP and TLS handshakes, if the URL is wss:// */
    wm_histogram *auth;      /* from the end of the upgrade until it is ready */
    wm_histogram *heartbeat; /* round trips */
} wm_connection_times;

typedef struct wm_connection_info {
    wm_connection_state state;
    wm_dialect dialect;
    wm_release release;
    uint64_t connected_at_us; /* of the present WebSocket; 0: none */
    uint64_t rtt_us;          /* last heartbeat round trip, 0 until the first */
    uint64_t last_heard_us;   /* when bytes were received last, plus the time for which the loop stood still since */
    uint64_t answered_us;     /* when that PING was sent which was answered last on this WebSocket; 0: none */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint32_t connects; /* how often it became ready */
} wm_connection_info;

/* What all connections of a pool share. Must outlive them. */
typedef struct wm_node_connection_shared {
    wm_loop *loop;
    wm_transport *transport;
    wm_node_connection_options options;
    wm_node_connection_events events;
    void *user; /* of the events */
    wm_connection_times times;
    bool traced;
    /* Called when the iteration's deadline has passed while messages are read: the pool calls
     * wm_node_connection_read_later for each of its connections. */
    void (*late)(void *pool);
    void *pool;
} wm_node_connection_shared;

/* `id`: the number of the connection in events. NULL when out of memory. */
wm_node_connection *wm_node_connection_new(const wm_node_connection_shared *shared, int id);
/* Closes the connection without an event, and frees it. */
void wm_node_connection_free(wm_node_connection *c);
/* Frees what an idle connection holds, and sets its figures to 0, so that it can serve another node. */
void wm_node_connection_clear(wm_node_connection *c);

/* As wm_node_pool_connect. */
int wm_node_connection_open(wm_node_connection *c, const wm_url *url, const wm_addresses *addresses);
/* As wm_node_pool_disconnect, _fail, _authenticate, _send, _want_batch and _ask. */
void wm_node_connection_close(wm_node_connection *c, int close_code);
void wm_node_connection_fail(wm_node_connection *c, wm_end_reason reason, const char *detail);
int wm_node_connection_authenticate(wm_node_connection *c, const char *token, size_t len);
int wm_node_connection_send(wm_node_connection *c, const uint8_t *message, size_t len);
void wm_node_connection_want_batch(wm_node_connection *c);
void wm_node_connection_ask(wm_node_connection *c);
/* Ends the connection when a timeout has passed, and sends a PING that is due. To be called at
 * intervals. `stalled_us`: for how long the loop stood still since the last call; that time does not
 * count, as it says nothing about the node. */
void wm_node_connection_check(wm_node_connection *c, uint64_t now_us, uint64_t stalled_us);
/* Puts off reading the socket until the next iteration. */
void wm_node_connection_read_later(wm_node_connection *c);
/* Bytes that were received and not read, those that wait in the socket included. A system call. */
size_t wm_node_connection_unread(const wm_node_connection *c);
/* As wm_node_pool_is_behind. */
bool wm_node_connection_is_behind(const wm_node_connection *c);
wm_connection_info wm_node_connection_info(const wm_node_connection *c);
#endif
