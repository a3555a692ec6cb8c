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
    WM_DIALECT_TS,   /* the 0.11 server */
    WM_DIALECT_V2,
} wm_dialect;
/* "unknown", "0.11", "v2". */
const char *wm_dialect_name(wm_dialect d);

typedef enum wm_connection_state {
    WM_CONNECTION_IDLE,           /* not connected, nothing under way */
    WM_CONNECTION_CONNECTING,     /* TCP, TLS, upgrade */
    WM_CONNECTION_AUTHENTICATING, /* open; waiting for the server or for a token */
    WM_CONNECTION_READY,
} wm_connection_state;

typedef struct wm_connection_loss {
    wm_end_reason reason;
    int close_code;
    const char *detail;
    bool was_ready;
    bool was_answered; /* a PING of this connection was answered */
} wm_connection_loss;

/* Called inside a turn of the loop; they must not call Lua. */
typedef struct wm_node_pool_events {
    void (*auth_required)(void *user, int connection);
    void (*ready)(void *user, int connection);
    void (*lost)(void *user, int connection, const wm_connection_loss *loss);
    /* Any message that the pool does not deal with itself, envelopes opened. */
    void (*message)(void *user, int connection, const wm_message *m);
    /* In place of a message that is larger than the transport's limit: wm_message_describe. */
    void (*too_large)(void *user, int connection, const uint8_t *description, size_t len);
    /* One change of a SERVER_BATCH_EVENT. */
    void (*change)(void *user, int connection, const uint8_t *event, size_t len, const wm_message_cost *cost);
    /* Whether the owner takes more messages now. Called in iterations that have a deadline. */
    bool (*wants_more)(void *user);
    /* A text message (JSON). */
    void (*text)(void *user, int connection, const uint8_t *bytes, size_t len);
    /* The connection is ready and can take an OP_BATCH: append it, or nothing. */
    void (*batch)(void *user, int connection, wm_buffer *out);
    /* While wm_node_pool_trace is on: every message, before it is read or after it was
     * written. The bytes are valid for the call. */
    void (*traced)(void *user, int connection, const uint8_t *message, size_t len, bool outward, bool text);
    /* The socket has taken the batches so far whole. */
    void (*batch_written)(void *user, int connection);
} wm_node_pool_events;

typedef struct wm_node_pool_options {
    uint32_t connections_per_node;
    uint64_t heartbeat_us;         /* a PING this often on every open connection */
    uint64_t heartbeat_timeout_us; /* silence after which a connection is dead */
    uint64_t auth_timeout_us;      /* from the token sent to its answer */
    size_t max_queued_bytes;       /* messages that wait on one connection */
} wm_node_pool_options;

/* Where the times of connections are counted, in microseconds; each may be NULL. */
typedef struct wm_connection_times {
    wm_histogram *connect;   /* opening to the finished upgrade: name, TCP, TLS, HTTP */
    wm_histogram *tls;       /* of that the TCP and TLS handshakes, where the URL is wss:// */
    wm_histogram *auth;      /* from the finished upgrade until it is ready */
    wm_histogram *heartbeat; /* round trips */
} wm_connection_times;

/* NULL when out of memory. `transport` is borrowed. */
wm_node_pool *wm_node_pool_new(wm_loop *loop, wm_transport *transport, wm_node_pool_options options,
                               wm_node_pool_events events, void *user);
/* Closes every connection and frees the pool; no further callback comes. */
void wm_node_pool_free(wm_node_pool *pool);
/* Counts the times of connections there from now on; the histograms are borrowed. */
void wm_node_pool_measure(wm_node_pool *pool, wm_connection_times times);

/* Adds a node and gives its slot, which may be that of one that was removed; WM_EINVAL
 * when the URL is none, WM_ENOMEM. */
int wm_node_pool_add(wm_node_pool *pool, const char *url);
/* Removes a node whose connections are all idle. Its slot has no id and no URL ("") from then on. */
void wm_node_pool_remove(wm_node_pool *pool, int slot);
/* Slots, those of removed nodes included. */
uint32_t wm_node_pool_count(const wm_node_pool *pool);
uint32_t wm_node_pool_connections(const wm_node_pool *pool);
const char *wm_node_pool_url(const wm_node_pool *pool, int slot);
/* The server-assigned id, "" until it is learnt. set: WM_OK or WM_ENOMEM. */
const char *wm_node_pool_id(const wm_node_pool *pool, int slot);
int wm_node_pool_set_id(wm_node_pool *pool, int slot, const char *id);
int wm_node_pool_node_of(const wm_node_pool *pool, int connection);
int wm_node_pool_connection_of(const wm_node_pool *pool, int slot, uint32_t ordinal);

/* Starts connecting an idle connection, to the given addresses of its host or, with NULL,
 * to those that the system's resolver knows; WM_OK (also when it is under way) or
 * WM_ENOMEM. */
int wm_node_pool_connect(wm_node_pool *pool, int connection, const wm_addresses *addresses);
/* Ends a connection from this side; `lost` is not called. */
void wm_node_pool_disconnect(wm_node_pool *pool, int connection, int close_code);
/* Ends a connection because of what it did; `lost` is called. */
void wm_node_pool_fail(wm_node_pool *pool, int connection, wm_end_reason reason, const char *detail);
/* Answers `auth_required`, once per connection. WM_OK, WM_EINVAL when the connection
 * does not wait for a token, WM_ENOMEM when the connection has ended for want of memory. */
int wm_node_pool_authenticate(wm_node_pool *pool, int connection, const char *token, size_t len);
/* Queues one message (a whole MessagePack map) on a connection that is ready. WM_OK,
 * WM_EINVAL when it is not, WM_EFULL when too much waits already, WM_ESIZE above
 * 1 MiB, WM_ENOMEM. */
int wm_node_pool_send(wm_node_pool *pool, int connection, const uint8_t *message, size_t len);
/* Whether `traced` is called; off costs one branch a message. */
void wm_node_pool_trace(wm_node_pool *pool, bool on);
/* Asks for `batch` on a ready connection. */
void wm_node_pool_want_batch(wm_node_pool *pool, int connection);

/* Asks the server on a ready connection whether it answers: `answered_us` of the connection's info is this
 * moment or later once it has. */
void wm_node_pool_ask(wm_node_pool *pool, int connection);
/* Whether messages were received, or wait in the socket, that nobody has read yet: what
 * has not been heard is not overdue then. */
bool wm_node_pool_is_behind(const wm_node_pool *pool, int connection);

typedef struct wm_connection_info {
    wm_connection_state state;
    wm_dialect dialect;
    uint64_t connected_at_us; /* of the present connection, 0 when there is none */
    uint64_t rtt_us;          /* last heartbeat round trip, 0 until the first */
    uint64_t last_heard_us;
    uint64_t answered_us;     /* when the newest question was sent that was answered; 0: none of this connection */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint32_t connects;        /* connections that became ready so far */
} wm_connection_info;
wm_connection_info wm_node_pool_connection(const wm_node_pool *pool, int connection);
#endif
