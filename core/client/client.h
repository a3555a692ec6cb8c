#ifndef WM_CLIENT_H
#define WM_CLIENT_H
#include "base/hash.h"
#include "base/histogram.h"
#include "base/hlc.h"
#include "client/parts/event_queue.h"
#include "client/parts/op_metrics.h"
#include "client/parts/record_store.h"
#include "cluster/map_chooser.h"
#include "cluster/route_table.h"
#include "net/node_pool.h"
#include "oplog/batcher.h"
#include "oplog/dead_letters.h"
#include "wire/map_event.h"

/* A client of one cluster (or one server): ties op log, batcher, map chooser and
 * node pool together. It decides nothing that is a policy: which node a
 * partition goes to, when to connect again, which token to show are answers of
 * the script to events. Single-threaded, on one loop. */
typedef struct wm_client wm_client;
/* One map of a client: its local copy and what its operations share. Belongs to
 * the client. */
typedef struct wm_map wm_map;

typedef struct wm_client_options {
    const char *client_id; /* the client's id in timestamps: a lower-case UUID */
    const char *op_prefix; /* WM_OP_ID_PREFIX characters in front of operation ids */
    wm_transport_options transport;
    wm_node_pool_options pool;
    wm_message_limits messages; /* of what Lua decodes; of bytes the transport's is the same */
    wm_batch_limits batch;
    wm_oplog_limits log;
    const char *oplog_path;  /* keeps the op log in this file; NULL: in memory */
    bool oplog_sync;         /* each write of the file waits for the disk */
    bool client_id_is_default; /* the id in the op log's file comes before it */
    uint8_t max_tries;     /* an operation that came back so often is told, and stays pending */
    bool drop_oldest;      /* a full log drops its oldest pending operation */
    bool checks_map_names; /* refuses map names that a v2 server with disk storage discards */
    double high_watermark;     /* share of the log's limits, 0..1, for events */
    double low_watermark;
    size_t recent_ack_bytes; /* for what a 0.11 cluster acknowledged lately; 0: nothing is kept */
    double node_share;     /* of the log's limits, 0..1: what one node of several may have not acknowledged */
} wm_client_options;

typedef struct wm_client_stats {
    uint64_t ops_recorded;
    uint64_t ops_loaded;     /* from the op log's file */
    uint64_t ops_acked;
    uint64_t ops_rejected;
    uint64_t ops_dropped;
    uint64_t ops_resent;     /* went back to pending */
    uint64_t ops_repeated;   /* acknowledged, and sent again after a membership change */
    uint64_t ops_unverified; /* that should have been, and were kept no more */
    uint64_t batches_sent;
    uint64_t batches_acked;
    uint64_t unmatched_acks; /* acknowledgements that answer no batch of this client */
    uint64_t overloads;      /* errors that made a connection with batches in flight slow down */
    uint64_t bytes_sent;     /* of OP_BATCH messages */
    uint64_t messages_too_large; /* beyond a limit, and not read */
} wm_client_stats;

typedef struct wm_node_stats {
    uint64_t ops_sent;
    uint64_t ops_acked;
    uint64_t batches_sent;
    uint64_t bytes_sent;  /* of OP_BATCH messages */
    uint64_t bytes_acked; /* of operations */
} wm_node_stats;

/* NULL on failure with the reason in `error`, cut to `size`. `log_problem` says what is wrong
 * with the op log's file; WM_LOG_NONE when something else is. */
wm_client *wm_client_new(wm_loop *loop, const wm_client_options *options, wm_log_problem *log_problem, char *error,
                         size_t size);
/* Closes connections and frees everything, unsent operations included. */
void wm_client_free(wm_client *c);

wm_node_pool *wm_client_pool(wm_client *c);
wm_map_chooser *wm_client_map_chooser(wm_client *c);
wm_batcher *wm_client_batcher(wm_client *c);
wm_oplog *wm_client_oplog(wm_client *c);
wm_event_queue *wm_client_events(wm_client *c);
const wm_client_stats *wm_client_stats_of(const wm_client *c);
const wm_node_stats *wm_client_node_stats(const wm_client *c, int node_index);
/* Record -> acknowledgement, in microseconds; operations per batch. */
const wm_histogram *wm_client_ack_latency(const wm_client *c);
const wm_histogram *wm_client_batch_sizes(const wm_client *c);
void wm_client_forget_batch_sizes(wm_client *c);
/* Measures operations into `m` (borrowed) from now on; WM_OK or WM_ENOMEM. */
int wm_client_measure(wm_client *c, wm_op_metrics *m);

/* Adds a node; its index, or WM_EINVAL, WM_ENOMEM. */
int wm_client_add_node(wm_client *c, const char *url);
/* Forgets a node that is not connected, that nothing is routed to or waits for, and that
 * neither the held partition map nor the map of a connected node names; its index is the
 * next new node's. WM_OK; WM_EINVAL when something of that is not so, and then nothing is
 * changed. */
int wm_client_forget_node(wm_client *c, int node_index);
/* Whether every message becomes an event, too: for looking at the wire. */
void wm_client_trace(wm_client *c, bool on);
/* Lets operations use a connection that is ready: to be called once it is known which
 * node answers there. Ends by itself with the connection. */
void wm_client_use_connection(wm_client *c, int connection);
/* The server answered with an error that names no request (ERROR does not). With
 * 429 the frame was dropped, with 500 "Write-behind capacity exceeded" (server
 * 2.2.0) a part of it: the connection slows down, and a batch is to be sent again. Which
 * one is counted out on v2; on 0.11, where a second copy is harmless, what is in
 * flight gets a short deadline instead of its long one. False when no batch was in
 * flight. */
bool wm_client_refuse_batches(wm_client *c, int connection);
/* The route table: where each partition goes, and which one a key belongs to. Valid until the next call. */
const wm_route_table *wm_client_routes(const wm_client *c);
/* In place of a node index: the partition's route stays as it is. */
#define WM_ROUTE_KEPT (-2)
/* Where all partitions go from now on: `node_indexes` has one for each, -1 to hold it, or
 * WM_ROUTE_KEPT. What waits is touched only for partitions whose route changes. `from`, with as many
 * places, gets the node that a partition went to before it moved to another one; -1 for the others.
 * WM_OK; WM_EINVAL when a number is none of these: nothing is changed. */
int wm_client_set_routes(wm_client *c, const int *node_indexes, int *from);
/* After the held map may have changed: partition count, owners. True when the held map is another
 * one. Out of memory: false, nothing leaves by the old routes if they have another partition
 * count, and it is tried again every 20 ms until WM_EVENT_MAP says that the map is another one. */
bool wm_client_choose_map(wm_client *c);
/* Which hash the cluster uses; pending operations get their partitions anew. WM_OK, or
 * WM_ENOMEM: nothing leaves until that could be done, which is tried every 20 ms;
 * WM_EVENT_MAP tells. */
int wm_client_set_hash(wm_client *c, wm_hash_kind kind);
wm_hash_kind wm_client_hash(const wm_client *c);
uint32_t wm_client_partition_of(const wm_client *c, const char *key, size_t len);
uint32_t wm_client_partition_count(const wm_client *c);
/* The index of the node that a key is routed to, -1 when it is held: hash, partition and route
 * in one call, for the FFI. */
__attribute__((visibility("default"))) int wm_client_node_of_key(const wm_client *c, const char *key, size_t len);
/* Operations that were sent and are not acknowledged, by all connections; for the FFI. */
__attribute__((visibility("default"))) uint32_t wm_client_in_flight(const wm_client *c);

/* Writes the changes of the op log to its file, if it has one: WM_OK, or WM_EDISK,
 * which an event tells once and which makes the log count as full until it can be
 * written again. Part of every flush. */
int wm_client_sync_log(wm_client *c);
/* As wm_client_sync_log, for the last time: a file that is gone is looked for, and one that could
 * not be written a moment ago is tried again. */
int wm_client_finish_log(wm_client *c);
typedef enum wm_membership_state {
    WM_MEMBERSHIP_CALM,    /* what was acknowledged by a 0.11 cluster is not known to be doubtful */
    WM_MEMBERSHIP_FRESH,   /* an acknowledgement is so fresh that a change may not be known yet */
    WM_MEMBERSHIP_CHANGED, /* it has changed: operations are to be sent again, or to be acknowledged again */
} wm_membership_state;
/* Acknowledged operations that are kept because the membership of a 0.11 cluster has
 * changed, and are sent again soon; 0 when it has not. */
uint64_t wm_client_unverified(const wm_client *c, wm_membership_state *state);
/* The client is about to end: what wm_client_unverified counts will not be sent again by this
 * client. It moves to the figure ops_unverified, once; how many they are. Where the op log has a
 * file they stay in it. */
uint64_t wm_client_give_up_unverified(wm_client *c);
/* Whether unmatched acknowledgements become WM_EVENT_MESSAGE, for a script that waits for the
 * acknowledgement of a message it sent itself. */
void wm_client_forward_acks(wm_client *c, bool on);
/* Notes that the query of this id only serves to receive a map's events, which servers send apart
 * from it, with their times. Its own messages (QUERY_RESP, as large as the map, and
 * QUERY_UPDATE, each change once more) are dropped from now on. WM_OK or WM_ENOMEM. */
int wm_client_subscribed(wm_client *c, const char *query_id);
/* Asks every connection that has a batch due to send it, behind a sync of the log. To be
 * called once a tick. */
void wm_client_flush(wm_client *c, bool all);

/* For a provider that is not built on the node pool: takes everything pending
 * as one OP_BATCH message into `out`; what it carried is then in flight until
 * wm_client_foreign_ack or _release. The number of operations, or WM_ENOMEM. */
int wm_client_foreign_take(wm_client *c, wm_buffer *out);
uint32_t wm_client_foreign_ack(wm_client *c, const char *last_id, size_t len);
uint32_t wm_client_foreign_release(wm_client *c);

/* -- what was rejected ------------------------------------------------------------- */

const wm_dead_letters *wm_client_dead_letters(const wm_client *c);
/* Records a rejected operation once more, with the time that it was made at, and drops the
 * letter. The seq of the new operation; WM_EINVAL when there is no such letter; WM_ESTALE
 * when the local copy has a newer record of the key; or the status of a write that is
 * refused. */
double wm_client_resend_rejected(wm_client *c, uint64_t seq);
/* False when there is no such letter. */
bool wm_client_drop_rejected(wm_client *c, uint64_t seq);

/* -- maps ------------------------------------------------------------------------- */

/* The map of this name, made at the first call; NULL when out of memory. */
wm_map *wm_client_map(wm_client *c, const char *name, size_t len);
wm_record_store *wm_map_store(wm_map *m);
/* The node id that a record's `node` stands for. */
const char *wm_client_node_name(const wm_client *c, uint32_t node);

/* Merges a record that a server sent on `connection` (WM_NO_CONNECTION: that is not known): last
 * write wins; the clock is advanced. `value` NULL is a tombstone. `stamped_on_arrival`: the
 * time is when the server got it (v2), so that a write of this client which is not
 * acknowledged yet comes later, whatever its own time says, and stays; so does one that the
 * server tells again; one that the connection has not told of yet; and one that is followed by an
 * earlier one of this client which arrived late (see wm_map_is_indoubt). WM_OK, 1 when the
 * local record stayed, WM_EINVAL for an impossible time, WM_ENOMEM. */
int wm_map_merge(wm_map *m, const char *key, size_t key_len, const uint8_t *value, size_t value_len,
                 const wm_timestamp *time, bool stamped_on_arrival, int connection);
/* A server said on `connection` that the key is gone without saying when (v2 REMOVE): the value
 * is removed unless this client has an unacknowledged write of the key or one that the connection
 * has not told of yet, or the removal is an earlier one of this client's that arrived late.
 * 1 when it stayed. */
int wm_map_forget(wm_map *m, const char *key, size_t key_len, int connection);

/* Merges a change that a server told on `connection`, or forgets the key. WM_OK: the local copy
 * changed; 1: it did not, or there is no such map here; WM_EINVAL when there are no maps at
 * all, as then it is for the script to look at; or a code of wm_map_merge. */
int wm_client_take_map_event(wm_client *c, const wm_map_event *change, int connection);

/* The write path, callable through the FFI: no call back into Lua, no
 * allocation after warm-up. Begin gives a place for the value's MessagePack
 * bytes of at least `value_size`; NULL with wm_map_status saying why. Commit
 * records the operation and returns its seq (a whole number as a double, which a
 * compiled trace keeps unboxed), or a negative status. A begin without a commit
 * leaves no trace. */
__attribute__((visibility("default"))) uint8_t *wm_map_begin_set(wm_map *m, const char *key, size_t key_len,
                                                                 size_t value_size);
__attribute__((visibility("default"))) double wm_map_commit_set(wm_map *m, size_t value_len);
__attribute__((visibility("default"))) int wm_map_status(const wm_map *m);
/* Judges a value, MessagePack, before a begin: WM_OK, or WM_EINTEGER with the place in
 * `path` (cut to `size`). Integers of 64 bits may be written anew in place (0.11). What
 * holds none, as most values, needs no call. */
int wm_map_check_value(const wm_map *m, uint8_t *value, size_t len, char *path, size_t size);
/* Judges the bytes of a key and a value, before a begin: WM_OK, WM_ESIZE or WM_EANSWER. */
int wm_map_check_size(wm_map *m, size_t key_len, size_t value_len);
/* Bytes that key and value of one record may have; and had, when the last write was refused
 * for its size. */
size_t wm_map_record_max(const wm_map *m);
size_t wm_map_refused_bytes(const wm_map *m);
/* Records a removal; its seq or a negative status. */
double wm_map_remove(wm_map *m, const char *key, size_t key_len);
/* Records once more what this client last wrote to a key, with the time it was
 * written at: for a node that has lost it. The operation's seq or a negative
 * status; WM_EINVAL when the newest record of the key is not this client's. */
double wm_map_resend(wm_map *m, const char *key, size_t key_len);
/* Whether this client sent this value to a v2 server whose connection ended before
 * the acknowledgement: then a record with it may be much older than its time says
 * (indoubt_writes.h). `value` is MessagePack. */
bool wm_map_is_indoubt(const wm_map *m, const char *key, size_t key_len, const uint8_t *value, size_t value_len);
/* Asks for an OP_DONE event when the operation is settled. False when it is no
 * longer in the log. */
bool wm_client_notify(wm_client *c, uint64_t seq);
/* Heap allocations of the write path so far: 0 more per operation after
 * warm-up. */
uint64_t wm_map_allocations(const wm_map *m);
#endif
