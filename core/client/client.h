#ifndef WM_CLIENT_H
#define WM_CLIENT_H
#include "base/hash.h"
#include "base/histogram.h"
#include "base/hlc.h"
#include "client/parts/event_queue.h"
#include "client/parts/op_metrics.h"
#include "replica/record_store.h"
#include "cluster/map_chooser.h"
#include "cluster/route_table.h"
#include "net/node_pool.h"
#include "oplog/batcher.h"
#include "oplog/dead_letters.h"
#include "replica/replica.h"
#include "replica/saved/saved_copy.h"
#include "wire/map_event.h"

/* A client of one cluster, or of one server: connects op log, batcher, map chooser and node pool. Policies
 * are not in it: the script answers events by routing partitions, reconnecting and giving tokens.
 * Single-threaded, on one loop. */
typedef struct wm_client wm_client;
/* One map of a client: its local copy, and the templates of its operations. Owned by the client. */
typedef struct wm_map wm_map;

typedef struct wm_client_options {
    const char *client_id; /* id of this client in timestamps: a lower-case UUID */
    const char *op_prefix; /* WM_OP_ID_PREFIX characters at the start of operation ids */
    wm_transport_options transport;
    wm_node_pool_options pool;
    wm_message_limits messages; /* for messages that Lua decodes; the limit of bytes is the transport's, too */
    wm_batch_limits batch;
    uint32_t windowed_ops; /* operations in one OP_BATCH to a v2 server */
    wm_oplog_limits log;
    const char *oplog_path;    /* file of the op log; NULL: in memory only */
    bool oplog_sync;           /* wait for the disk after each write to the file */
    bool client_id_is_default; /* prefer the id in the op log's file to client_id */
    uint8_t max_tries;         /* WM_EVENT_OP_TRIES when an operation returned so often; it stays pending */
    bool drop_oldest;          /* a full log drops its oldest pending operation */
    bool checks_map_names;     /* refuse map names that a v2 server with disk storage discards */
    double high_watermark;     /* as a share of the log's limits, 0..1 */
    double low_watermark;
    size_t recent_ack_bytes; /* memory for keys that a 0.11 cluster acknowledged lately; 0: none are kept */
    uint64_t copy_records;   /* that all replicas may have together: wm_record_space */
    double node_share;       /* the share of the log's limits, 0..1, that one node's unacknowledged operations may fill;
                              * without effect while there is only one node */
} wm_client_options;

typedef struct wm_client_stats {
    uint64_t ops_recorded;
    uint64_t ops_loaded; /* from the op log's file */
    uint64_t ops_acked;
    uint64_t ops_rejected;
    uint64_t ops_dropped;
    uint64_t ops_resent;     /* returned unacknowledged and were pending again */
    uint64_t ops_repeated;   /* acknowledged, and sent again after a membership change */
    uint64_t ops_unverified; /* acknowledged while the membership changed, and not repeated */
    uint64_t batches_sent;
    uint64_t batches_acked;
    uint64_t unmatched_acks;     /* acknowledgements that answer no batch of this client */
    uint64_t overloads;          /* errors that throttled a connection with batches in flight */
    uint64_t bytes_sent;         /* of OP_BATCH messages */
    uint64_t messages_too_large; /* above a limit, and not read */
} wm_client_stats;

typedef struct wm_node_stats {
    uint64_t ops_sent;
    uint64_t ops_acked;
    uint64_t batches_sent;
    uint64_t bytes_sent;  /* of OP_BATCH messages */
    uint64_t bytes_acked; /* of operations */
} wm_node_stats;

/* NULL on failure with the reason in `error`, cut to `size`. `log_problem`: what is wrong with the op
 * log's file; WM_LOG_NONE when the failure is another one. */
wm_client *wm_client_new(wm_loop *loop, const wm_client_options *options, wm_log_problem *log_problem, char *error,
                         size_t size);
/* Closes connections and frees everything, unsent operations included. */
void wm_client_free(wm_client *c);

/* Parts of the client, which owns them; valid until wm_client_free. */
wm_node_pool *wm_client_pool(wm_client *c);
wm_map_chooser *wm_client_map_chooser(wm_client *c);
wm_batcher *wm_client_batcher(wm_client *c);
wm_oplog *wm_client_oplog(wm_client *c);
wm_event_queue *wm_client_events(wm_client *c);
const wm_client_stats *wm_client_stats_of(const wm_client *c);
const wm_node_stats *wm_client_node_stats(const wm_client *c, int node_index);
/* Times from recording to acknowledgement, in microseconds; and operations per batch. */
const wm_histogram *wm_client_ack_latency(const wm_client *c);
const wm_histogram *wm_client_batch_sizes(const wm_client *c);
/* Empties the histogram of batch sizes. */
void wm_client_forget_batch_sizes(wm_client *c);
/* Records measurements of operations in `m` (borrowed) from now on. WM_OK or WM_ENOMEM. */
int wm_client_measure(wm_client *c, wm_op_metrics *m);

/* Adds a node; as wm_node_pool_add. Returns its node index, WM_EINVAL for a wrong URL, or WM_ENOMEM. */
int wm_client_add_node(wm_client *c, const char *url, const char *shown_url);
/* Removes a node that is not in use: it is not connected, has no route and no operation, and neither
 * the held partition map nor the map of a connected node names it. The next new node gets its index.
 * WM_OK; WM_EINVAL when the node is in use: nothing changed. */
int wm_client_forget_node(wm_client *c, int node_index);
/* Turns WM_EVENT_FRAME for every message on or off. */
void wm_client_trace(wm_client *c, bool on);
/* In place of the send windows: batches of `batch_ops` operations, and `ops` in flight on each connection. For
 * measuring what the windows are worth; call it before the client connects. */
void wm_client_fix_windows(wm_client *c, uint32_t batch_ops, uint32_t ops);
/* Allows operations on a connection that is ready, until it ends. Call it once it is known which node
 * is at the other end. A listening connection, which never carries operations, is listening then. */
void wm_client_use_connection(wm_client *c, int connection);

/* -- listening connections ------------------------------------------------------------- */

/* Each node has one listening connection (wm_node_pool_listener_of) beside those for operations: for
 * questions about what the node holds, and for what it announces. The script opens it when it is first
 * needed, asks the server which node it is, and calls wm_client_use_connection when it is the expected one.
 * Its loss returns no operation, changes no route, and closes no other connection. Messages on it are
 * handled as all others (core/client/traffic/messages.c), with its number as `connection`, and its node is
 * wm_node_pool_node_of; but partition maps on it are ignored, as the connections for operations bring
 * them, and an ERROR there is about no batch. */

/* Closes a connection without an event; as wm_node_pool_disconnect. */
void wm_client_disconnect(wm_client *c, int connection, int close_code);
/* Whether messages can be sent on the node's listening connection: it is open, and leads to this node. */
bool wm_client_is_listening(const wm_client *c, int node_index);

/* For parts of the core that live on listening connections. They must not call Lua. What was asked on a
 * connection that is lost is never answered, and what was announced since is missed. */
typedef struct wm_listener_hooks {
    void (*listening)(void *user, int node_index);
    void (*lost)(void *user, int node_index); /* after `listening`, once */
    void *user;
} wm_listener_hooks;

/* Sets the hooks; `hooks.user` must outlive the client. Nodes that are listening already are not reported. */
void wm_client_hook_listeners(wm_client *c, wm_listener_hooks hooks);

/* Handles an overload error of the server. It names no request: after 429 a whole frame was dropped, after
 * 500 "Write-behind capacity exceeded" (server 2.2.0) a part of one. The connection is throttled, and
 * the batch is sent again. On v2 the client finds out which batch it is by counting answers; on 0.11,
 * where a second copy is harmless, all batches in flight get a short deadline. False when no batch was
 * in flight. */
bool wm_client_refuse_batches(wm_client *c, int connection);
/* The route table: the route of each partition, and the partition of a key. Valid until the next call. */
const wm_route_table *wm_client_routes(const wm_client *c);
/* In place of a node index: leaves the partition's route as it is. */
#define WM_ROUTE_KEPT (-2)
/* Sets the routes of all partitions: `node_indexes` has an entry for each, a node index, -1 to hold it, or
 * WM_ROUTE_KEPT. Queues change only for partitions whose route changes. `from`, an array of the same
 * length, is set to the previous node of each partition that moved to another node, and to -1 for the
 * others. WM_OK; WM_EINVAL for another number: nothing changed. */
int wm_client_set_routes(wm_client *c, const int *node_indexes, int *from);
/* Chooses the partition map to hold. Call it when a node's map or its reachability has changed. True
 * when the held map has changed. False when it has not, or when memory did not suffice to take the new
 * one: the client tries again every 20 ms, and reports the new map by WM_EVENT_MAP; if the partition
 * count changed, nothing is sent until then. */
bool wm_client_choose_map(wm_client *c);
/* Sets the hash that the cluster uses, and assigns pending operations to their partitions again. WM_OK, or
 * WM_ENOMEM: it is tried again every 20 ms until WM_EVENT_MAP, and nothing is sent meanwhile. */
int wm_client_set_hash(wm_client *c, wm_hash_kind kind);
/* The partition of a key by the hash in use; and the number of partitions. */
uint32_t wm_client_partition_of(const wm_client *c, const char *key, size_t len);
uint32_t wm_client_partition_count(const wm_client *c);
/* The index of the node that a key is routed to, -1 when it is held. For the FFI: hash, partition and
 * route in one call. */
__attribute__((visibility("default"))) int wm_client_node_of_key(const wm_client *c, const char *key, size_t len);
/* The number of operations in flight on all connections. For the FFI. */
__attribute__((visibility("default"))) uint32_t wm_client_in_flight(const wm_client *c);

/* Writes the changes of the op log to its file, if it has one. WM_OK; WM_EDISK when it cannot: one
 * WM_EVENT_LOG_FILE reports it, and the log counts as full until a later call succeeds. Every
 * wm_client_flush does this first. */
int wm_client_sync_log(wm_client *c);
/* The last wm_client_sync_log of a client: checks that the file is still in its place, and tries again
 * at once after a failure. */
int wm_client_finish_log(wm_client *c);
typedef enum wm_membership_state {
    WM_MEMBERSHIP_CALM,    /* no acknowledgement is in doubt */
    WM_MEMBERSHIP_FRESH,   /* the last acknowledgement is so recent that a change may not be known yet */
    WM_MEMBERSHIP_CHANGED, /* it changed: operations have to be repeated, or wait for their second acknowledgement */
} wm_membership_state;
/* The number of acknowledged operations that will be repeated because the membership of a 0.11 cluster
 * changed. `state`: whether it did. */
uint64_t wm_client_unverified(const wm_client *c, wm_membership_state *state);
/* Gives up repeating operations, as the client is about to end: those that wm_client_unverified counts
 * are added to the statistic ops_unverified. Returns their number; 0 when called again. They stay in the
 * op log's file, if there is one. */
uint64_t wm_client_give_up_unverified(wm_client *c);
/* Whether unmatched acknowledgements become WM_EVENT_MESSAGE, for a script that waits for the
 * acknowledgement of a message it sent itself. */
void wm_client_forward_acks(wm_client *c, bool on);
/* Drops the messages of a query from now on. Servers send map events, with timestamps, to every client
 * that has a query on the map, so a query may serve for these events only; its own messages (QUERY_RESP,
 * as large as the map, and QUERY_UPDATE, each change once more) are not needed then. WM_OK or
 * WM_ENOMEM. */
int wm_client_subscribed(wm_client *c, const char *query_id);
/* The same; a 0.11 cluster's messages of the query, which hold no times, tell a replica of the map that something
 * has changed. */
int wm_map_subscribed(wm_map *m, const char *query_id);
/* Syncs the log and sends the batches that are due; with `all`, without regard to linger_us. Call it once
 * a tick. */
void wm_client_flush(wm_client *c, bool all);

/* For a provider with a transport of its own: appends pending operations as one OP_BATCH message to
 * `out`. They are in flight until wm_client_foreign_ack or wm_client_foreign_release. Returns their
 * number, or WM_ENOMEM. */
int wm_client_foreign_take(wm_client *c, wm_buffer *out);
/* Settles the batch whose last operation has this id, as wm_batcher_ack. Returns the number of operations. */
uint32_t wm_client_foreign_ack(wm_client *c, const char *last_id, size_t len);
/* Makes the operations of all batches in flight pending again. Returns their number. */
uint32_t wm_client_foreign_release(wm_client *c);

/* -- dead letters ------------------------------------------------------------------- */

/* The client's dead letters, which it owns; valid until wm_client_free. */
const wm_dead_letters *wm_client_dead_letters(const wm_client *c);
/* Records a rejected operation once more, with its old timestamp, and drops the dead letter. Returns the
 * seq of the new operation; WM_EINVAL when there is no such letter; WM_ESTALE when the local copy has
 * a newer record of the key; or the status of a write that is refused. */
double wm_client_resend_rejected(wm_client *c, uint64_t seq);
/* False when there is no such letter. */
bool wm_client_drop_rejected(wm_client *c, uint64_t seq);

/* -- maps ------------------------------------------------------------------------- */

/* The map of this name, created by the first call; NULL when out of memory. */
wm_map *wm_client_map(wm_client *c, const char *name, size_t len);
/* Walks over the records of this client of which no other value is known, as wm_record_store_next. */
size_t wm_map_next_own(wm_map *m, size_t position, wm_record *out);
/* The id of the writer that a record's `node` stands for. */
const char *wm_client_node_name(const wm_client *c, uint32_t node);

/* Takes a map event that a server sent on `connection`, if the map exists and is not replicated. WM_OK: the local
 * copy shows another value; 1: it does not; WM_EINVAL for an impossible time, and when there are no maps at all: the
 * script handles the event; WM_ENOMEM. */
int wm_client_take_map_event(wm_client *c, const wm_map_event *event, int connection);
/* From now on, or once the server family is known, the local copy also shows what servers announce. Call it when they
 * are asked to; a map that is not replicated begins by itself with the first event. Writes that were acknowledged before
 * count as older than any event. WM_OK or WM_ENOMEM. */
int wm_map_hear(wm_map *m);

/* -- replicas -- */

typedef struct wm_map_replica_options {
    uint64_t check_us; /* see wm_sync_rhythm */
    bool drops_lost;
} wm_map_replica_options;

/* Keeps the replica that wm_map_replicate makes next in a file, and shows what is in the file: see wm_saved_copy_open. False with
 * the reason in `e`. */
bool wm_map_keep(wm_map *m, const char *path, wm_log_error *e);
/* NULL when the map is not kept. Valid until wm_map_end_replica. */
const wm_saved_copy *wm_map_saved(const wm_map *m);
/* Makes the local copy a replica that is compared with the nodes. The server family and the hash of the cluster have to
 * be known, or be in the map's file (wm_map_keep). It follows a node from wm_map_follow on, and sends its questions on that
 * connection. WM_OK, also when it is one already; WM_EINVAL when the cluster is not known; WM_ENOMEM. */
int wm_map_replicate(wm_map *m, const wm_map_replica_options *options);
/* Whether the server family and the hash of the cluster are known. */
bool wm_client_knows_cluster(const wm_client *c);
/* Follows a node on one of its connections, which hears the map's events; see wm_replica_connect. The cluster has to be known:
 * what a file has of another one is dropped. */
int wm_map_follow(wm_map *m, int connection);
/* Ends the replica, and forgets what other clients wrote. A map that showed announcements before goes on with that. */
void wm_map_end_replica(wm_map *m);
/* Of a map that is replicated: its list of changes has this client's writes, too. */
void wm_map_watch_own(wm_map *m);
/* NULL when the map is not replicated, or only hears. Valid until wm_map_end_replica. */
wm_replica *wm_map_replica(wm_map *m);
/* Of all replicas: their turns (wm_replica_turns) and the changes that are to be taken. */
void wm_client_replica_news(const wm_client *c, uint64_t *turns, uint64_t *changes);
/* What the local copy shows of a key: as wm_replica_get where it is a replica or hears, else this client's record. */
bool wm_map_get(wm_map *m, const char *key, size_t len, wm_record *out);
/* What is known of a record: X(NAME, "lua name"). */
#define WM_RECORD_STATES(X)                                                                               \
    X(PENDING, "pending")           /* a write of this client that is in the op log */                    \
    X(ACKNOWLEDGED, "acknowledged") /* such a write; nothing was heard of the record since */             \
    X(SYNCED, "synced")             /* a node holds the record, as it has announced or was read */        \
    X(LOST, "lost")                 /* the node that held it came up without it, and no other one does */ \
    X(REJECTED, "rejected")         /* a write of this client that no server takes */                     \
    X(DROPPED, "dropped")           /* one that was dropped from a full op log */
typedef enum wm_record_state {
#define X(name, text) WM_RECORD_IS_##name,
    WM_RECORD_STATES(X)
#undef X
} wm_record_state;
/* Static. */
const char *wm_record_state_name(wm_record_state state);
/* As wm_map_get, with the state. `holder`: the index of the node that holds the record or has acknowledged it; -1: not
 * known. */
bool wm_map_look(wm_map *m, const char *key, size_t len, wm_record *out, wm_record_state *state, int *holder);
/* Walks over what it shows, as wm_replica_next. */
uint64_t wm_map_next(wm_map *m, uint64_t position, wm_record *out);
/* Keys with a value; see wm_replica_size. */
size_t wm_map_size(wm_map *m);
/* Bytes of the keys that have a value, and of their values as MessagePack. They are counted each time. */
uint64_t wm_map_record_bytes(wm_map *m);

/* The write path, callable through the FFI: it never calls Lua, and allocates nothing after warm-up. Begin
 * returns where to write the MessagePack bytes of the value, at least `value_size` of them; NULL with
 * the reason in wm_map_status. Commit records the operation and returns its seq (as a double, which a
 * compiled trace keeps unboxed), or a negative status. A begin without a commit changes nothing. */
__attribute__((visibility("default"))) uint8_t *wm_map_begin_set(wm_map *m, const char *key, size_t key_len,
                                                                 size_t value_size);
__attribute__((visibility("default"))) double wm_map_commit_set(wm_map *m, size_t value_len);
__attribute__((visibility("default"))) int wm_map_status(const wm_map *m);
/* Checks a value (MessagePack) before a begin, for a server family that cannot store 64-bit integers
 * (0.11): those within 2^53 are replaced by float64, in place. WM_OK; WM_EINTEGER for a larger one,
 * whose place is in `path` (cut to `size`). Values without 64-bit integers need no call. */
int wm_map_check_value(const wm_map *m, uint8_t *value, size_t len, char *path, size_t size);
/* Checks the sizes of a key and a value before a begin: WM_OK, WM_ESIZE or WM_EANSWER. */
int wm_map_check_size(wm_map *m, size_t key_len, size_t value_len);
/* The largest size of key and value together, in bytes; and that of the last write that was refused for
 * its size. */
size_t wm_map_record_max(const wm_map *m);
size_t wm_map_refused_bytes(const wm_map *m);
/* Records a removal. Returns its seq or a negative status. */
double wm_map_remove(wm_map *m, const char *key, size_t key_len);
/* Records the last write of this client to a key once more, with its old timestamp, for a node that has
 * lost it. Returns the seq of the operation or a negative status; WM_EINVAL when the newest record of
 * the key is another client's. */
double wm_map_resend(wm_map *m, const char *key, size_t key_len);
/* Whether an in-doubt write to a v2 server had this value (MessagePack). A record with it may be much older
 * than its time says: see indoubt_writes.h. */
bool wm_map_is_indoubt(const wm_map *m, const char *key, size_t key_len, const uint8_t *value, size_t value_len);
/* Requests WM_EVENT_OP_DONE for when the operation is settled. False when it is not in the log. */
bool wm_client_notify(wm_client *c, uint64_t seq);
#endif
