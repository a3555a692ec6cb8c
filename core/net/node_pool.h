#ifndef WM_NODE_POOL_H
#define WM_NODE_POOL_H
#include "base/histogram.h"
#include "net/connection.h"
#include "wire/message.h"

/* The nodes of a client, and the connections to each: connecting, authentication, heartbeat. A node
 * is known by its node index, a small number that stays the same until the node is removed; its
 * server-assigned id is learnt later. A connection is known by a number, too: node index *
 * connections_per_node + ordinal. That number stays when the WebSocket ends and another one is
 * opened. The pool never reconnects by itself: it reports the loss, and a policy decides. */
typedef struct wm_node_pool wm_node_pool;

typedef enum wm_dialect {
    WM_DIALECT_UNKNOWN,
    WM_DIALECT_TS, /* the 0.11 server */
    WM_DIALECT_V2,
} wm_dialect;
/* "unknown", "0.11" or "v2". */
const char *wm_dialect_name(wm_dialect d);

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

/* Callbacks to the owner of the pool, in an iteration of the loop. They must not call Lua.
 * `connection`: which one. */
typedef struct wm_node_pool_events {
    void (*auth_required)(void *user, int connection);
    void (*ready)(void *user, int connection);
    void (*lost)(void *user, int connection, const wm_connection_loss *loss);
    /* A message that the pool does not handle itself. Those of a BATCH come one by one. */
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
} wm_node_pool_events;

typedef struct wm_node_pool_options {
    uint32_t connections_per_node;
    uint64_t heartbeat_us;         /* interval of PINGs on an open connection */
    uint64_t heartbeat_timeout_us; /* a connection is half-open, and ends, when nothing was received for so long */
    uint64_t auth_timeout_us;      /* from sending the token to its answer */
    size_t max_queued_bytes;       /* of messages that wait to be sent on one connection */
} wm_node_pool_options;

/* Histograms for the times of connections, in microseconds; each may be NULL. */
typedef struct wm_connection_times {
    wm_histogram *connect;   /* from the start to the end of the upgrade: name, TCP, TLS, HTTP */
    wm_histogram *tls;       /* of that the TCP and TLS handshakes, if the URL is wss:// */
    wm_histogram *auth;      /* from the end of the upgrade until it is ready */
    wm_histogram *heartbeat; /* round trips */
} wm_connection_times;

/* NULL when out of memory. `transport` is borrowed. */
wm_node_pool *wm_node_pool_new(wm_loop *loop, wm_transport *transport, wm_node_pool_options options,
                               wm_node_pool_events events, void *user);
/* Closes every connection and frees the pool, without further callbacks. */
void wm_node_pool_free(wm_node_pool *pool);
/* Records times of connections in these histograms (borrowed) from now on. */
void wm_node_pool_measure(wm_node_pool *pool, wm_connection_times times);

/* Adds a node. Returns its index, which may be that of a removed node; WM_EINVAL when `url` is not a
 * ws:// or wss:// URL; or WM_ENOMEM. */
int wm_node_pool_add(wm_node_pool *pool, const char *url);
/* Removes a node whose connections are all idle. Id and URL of its index are "" from then on. */
void wm_node_pool_remove(wm_node_pool *pool, int node_index);
/* One more than the highest node index so far, which may be that of a removed node. */
uint32_t wm_node_pool_count(const wm_node_pool *pool);
uint32_t wm_node_pool_connections(const wm_node_pool *pool);
const char *wm_node_pool_url(const wm_node_pool *pool, int node_index);
/* The server-assigned id, "" until it is known. wm_node_pool_set_id: WM_OK or WM_ENOMEM. */
const char *wm_node_pool_id(const wm_node_pool *pool, int node_index);
int wm_node_pool_set_id(wm_node_pool *pool, int node_index, const char *id);
/* The node index of a connection, and the connection of a node: `ordinal` from 0 to
 * connections_per_node - 1. */
int wm_node_pool_node_of(const wm_node_pool *pool, int connection);
int wm_node_pool_connection_of(const wm_node_pool *pool, int node_index, uint32_t ordinal);

/* Starts to connect, to these addresses of the host or, with NULL, to those from the system's resolver.
 * WM_OK, also when the connection is not idle, or WM_ENOMEM. */
int wm_node_pool_connect(wm_node_pool *pool, int connection, const wm_addresses *addresses);
/* Closes a connection; `lost` is not called. */
void wm_node_pool_disconnect(wm_node_pool *pool, int connection, int close_code);
/* Closes a connection because of a fault of the other side; `lost` is called. */
void wm_node_pool_fail(wm_node_pool *pool, int connection, wm_end_reason reason, const char *detail);
/* Sends the token that `auth_required` asked for. WM_OK; WM_EINVAL when the connection does not wait for
 * one; WM_ENOMEM: the connection has ended for want of memory. */
int wm_node_pool_authenticate(wm_node_pool *pool, int connection, const char *token, size_t len);
/* Queues one message, a whole MessagePack map. WM_OK; WM_EINVAL when the connection is not ready;
 * WM_EFULL when max_queued_bytes are waiting; WM_ESIZE above 1 MiB; WM_ENOMEM. */
int wm_node_pool_send(wm_node_pool *pool, int connection, const uint8_t *message, size_t len);
/* Turns `traced` on or off; off costs one branch for each message. */
void wm_node_pool_trace(wm_node_pool *pool, bool on);
/* Has `batch` called once the connection, which is ready, can take a message. */
void wm_node_pool_want_batch(wm_node_pool *pool, int connection);

/* Sends a PING on a ready connection. Once it is answered, answered_us of wm_connection_info is the time
 * of this call or later. */
void wm_node_pool_ask(wm_node_pool *pool, int connection);
/* Whether messages were received, or wait in the socket, that were not read yet. An acknowledgement may be
 * among them, so no batch is overdue then. */
bool wm_node_pool_is_behind(const wm_node_pool *pool, int connection);

typedef struct wm_connection_info {
    wm_connection_state state;
    wm_dialect dialect;
    uint64_t connected_at_us; /* of the present WebSocket; 0: none */
    uint64_t rtt_us;          /* last heartbeat round trip, 0 until the first */
    uint64_t last_heard_us;   /* when bytes were received last */
    uint64_t answered_us;     /* when the newest PING was sent that was answered on this WebSocket; 0: none */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint32_t connects; /* how often it became ready */
} wm_connection_info;
wm_connection_info wm_node_pool_connection(const wm_node_pool *pool, int connection);
#endif
