#ifndef WM_NODE_POOL_H
#define WM_NODE_POOL_H
#include "net/node_connection.h"

/* The nodes of a client, and the connections to each: connecting, authentication, heartbeat. A node
 * is known by its node index, a small number that stays the same until the node is removed; its
 * server-assigned id is learnt later. Each node has connections_per_node connections for operations and,
 * after them, its listening connection, which no operation is ever sent on. A connection is known by a
 * number, too: node index * (connections_per_node + 1) + ordinal. That number stays when the WebSocket
 * ends and another one is opened. The pool never connects by itself: it reports a loss, and a policy
 * decides. */
typedef struct wm_node_pool wm_node_pool;

typedef struct wm_node_pool_options {
    uint32_t connections_per_node;         /* for operations */
    wm_node_connection_options connection; /* each of them */
} wm_node_pool_options;

/* NULL when out of memory. `transport` is borrowed. */
wm_node_pool *wm_node_pool_new(wm_loop *loop, wm_transport *transport, wm_node_pool_options options,
                               wm_node_connection_events events, void *user);
/* Closes every connection and frees the pool, without further callbacks. */
void wm_node_pool_free(wm_node_pool *pool);
/* Records times of connections in these histograms (borrowed) from now on. */
void wm_node_pool_measure(wm_node_pool *pool, wm_connection_times times);

/* Adds a node. `shown_url`: the URL as people may see it, without the values of its query. Returns its
 * index, which may be that of a removed node; WM_EINVAL when `url` is not a ws:// or wss:// URL; or
 * WM_ENOMEM. */
int wm_node_pool_add(wm_node_pool *pool, const char *url, const char *shown_url);
/* Removes a node whose connections are all idle. Id and URL of its index are "" from then on. */
void wm_node_pool_remove(wm_node_pool *pool, int node_index);
/* One more than the highest node index so far, which may be that of a removed node. */
uint32_t wm_node_pool_count(const wm_node_pool *pool);
/* The number of connections of all these nodes, with the listening ones. */
uint32_t wm_node_pool_connections(const wm_node_pool *pool);
const char *wm_node_pool_shown_url(const wm_node_pool *pool, int node_index);
/* The server-assigned id, "" until it is known. wm_node_pool_set_id: WM_OK or WM_ENOMEM. */
const char *wm_node_pool_id(const wm_node_pool *pool, int node_index);
int wm_node_pool_set_id(wm_node_pool *pool, int node_index, const char *id);
/* The node index of a connection, and the connection of a node: `ordinal` from 0 to
 * wm_node_pool_per_node - 1, which are those for operations. */
int wm_node_pool_node_of(const wm_node_pool *pool, int connection);
int wm_node_pool_connection_of(const wm_node_pool *pool, int node_index, uint32_t ordinal);
uint32_t wm_node_pool_per_node(const wm_node_pool *pool);
/* The listening connection of a node, and whether a connection is one. */
int wm_node_pool_listener_of(const wm_node_pool *pool, int node_index);
bool wm_node_pool_is_listener(const wm_node_pool *pool, int connection);

/* Starts to connect, to these addresses of the host or, with NULL, to those from the system's resolver.
 * WM_OK, also when the connection is not idle, or WM_ENOMEM. */
int wm_node_pool_connect(wm_node_pool *pool, int connection, const wm_addresses *addresses);
/* Closes a connection; `lost` is not called. */
void wm_node_pool_disconnect(wm_node_pool *pool, int connection, int close_code);
/* Closes a connection because of a fault of the other side; `lost` is called. */
void wm_node_pool_fail(wm_node_pool *pool, int connection, wm_end_reason reason, const char *detail);
/* Sends the token that `auth_required` asked for. WM_OK; WM_EINVAL when the connection does not wait for
 * one; WM_EFULL or WM_ESIZE as wm_node_pool_send; WM_ENOMEM: the connection has ended for want of memory.
 * If a proxy of the environment could read the token (wm_connection_reading_proxy), it is not sent: the
 * connection ends, and the result is WM_OK. */
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
/* Bytes that all connections have received and not read, those that wait in the sockets included. A system call for
 * each connection. */
size_t wm_node_pool_unread(const wm_node_pool *pool);

wm_connection_info wm_node_pool_connection(const wm_node_pool *pool, int connection);
#endif
