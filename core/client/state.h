#ifndef WM_STATE_H
#define WM_STATE_H
#include "base/name_index.h"
#include "client/client.h"
#include "client/parts/indoubt_writes.h"
#include "client/parts/recent_acks.h"
#include "client/parts/send_window.h"
#include "cluster/route_table.h"
#include "oplog/dead_letters.h"
#include "replica/node_names.h"
#include "replica/replica.h"

/* The state of a client, for its own files. In this folder, each using those before it: figures.c
 * (statistics), throttle.c (with the send windows), rules.c (what servers cannot store), map_table.c,
 * own_records.c (what becomes of records of this client), replicas.c, backpressure.c, write_path.c (recording
 * operations), rejection.c (dead letters), judge.c (operations recorded before the server family was known),
 * routes.c, membership.c (repeating operations after a membership change). In client/traffic: messages.c, poison.c, recovery.c (the op log's file),
 * ack_hooks.c, listeners.c, pool_hooks.c, nodes.c, foreign.c, life.c. */

/* The wait before each control is twice the one before: 256 times ack_timeout in all. */
#define WM_CONTROLS_MAX 8u

/* What the client knows of a connection, beside the pool: whether operations may use it, its
 * throttle, and its tests of whether the server answers. */
typedef struct wm_client_connection {
    bool usable;           /* it is known which node answers there; of a listening one: its node does */
    wm_send_window window; /* of a v2 server */
    uint64_t throttled_until_us;
    uint64_t backoff_us;                   /* length of the last throttle; 0 after an acknowledgement */
    struct wm_refusals *refusals;          /* what errors say about batches in flight; NULL: none came yet */
    uint64_t asked_us;                     /* when the server was asked last whether it answers; 0: never */
    uint64_t controls_us[WM_CONTROLS_MAX]; /* when the controls were sent that are not acknowledged */
    uint32_t controls;                     /* their number */
    uint64_t control_acked_us;             /* when the control that was acknowledged last was sent; 0: none. As controls
                                            * have one id, the oldest is taken for the acknowledged one. */
} wm_client_connection;

/* A share of the log's limits. */
typedef struct wm_watermark {
    double ops;
    double bytes;
} wm_watermark;

struct wm_map {
    wm_client *client;
    char *name;
    size_t name_len;
    wm_record_store *store;
    wm_replica *replica;   /* NULL: the local copy is what this client wrote */
    bool tells_own;        /* the replica lists this client's writes as changes, too */
    wm_saved_copy *saved;  /* the file that keeps the replica; or NULL */
    bool hears;            /* beside or without comparing, servers announce what changes */
    uint32_t put_template; /* of its operations in the log */
    uint32_t remove_template;
    int name_status;   /* WM_OK, or why nothing can be written; rules.c sets these three */
    size_t value_max;  /* largest value of a write in bytes; 0 when nothing can be written */
    size_t record_max; /* bytes of key and value */
    bool lags;         /* is in the list of lagging maps */
    wm_map *next_lagging;
};

/* Recent acknowledgements of a 0.11 cluster, and its membership changes; membership.c. */
typedef struct wm_membership {
    wm_recent_acks *acks;      /* NULL: not kept */
    wm_recent_acks *late_acks; /* to be repeated once no change is open */
    bool is_open;              /* the membership has changed, and not all operations are repeated yet */
    bool has_loaded;           /* the op log's file had operations to repeat, and no node was met yet */
    bool is_given_up;          /* operations will not be repeated any more, and count as unverified */
    uint64_t from_us;          /* acknowledgements from this time on are in doubt */
    uint64_t opened_us;
    uint64_t due_us;           /* when repeating begins */
    uint64_t until_us;         /* acknowledgements up to this time are in doubt; 0: repeating has not begun */
    uint64_t changed_again_us; /* when the membership changed again since then; 0: it did not */
    uint64_t agreed_us;        /* when repeating began last: the nodes agree on the membership by then */
    uint64_t last_repeat;      /* seq of the newest operation that repeats another; 0: none */
    uint64_t lost_us;          /* when a node was lost for which no membership change was seen yet; 0: none */
} wm_membership;

/* The write that begin started and commit finishes. */
typedef struct wm_open_write {
    uint8_t *bytes;
    uint32_t template;
    uint32_t key_len;
    uint32_t hash;
    uint32_t partition;
    wm_hlc time;
    uint64_t now_us;
} wm_open_write;

/* Statistics; figures.c. */
typedef struct wm_client_figures {
    wm_client_stats stats;
    wm_node_stats *node_stats; /* by node index */
    wm_histogram *ack_latency;
    wm_histogram *batch_sizes;
    wm_op_metrics *metrics; /* of a load test, borrowed; NULL: none */
} wm_client_figures;

/* throttle.c, poison.c. */
typedef struct wm_client_connections {
    wm_client_connection *all; /* by connection */
    uint32_t count;
} wm_client_connections;

/* What the servers of the cluster cannot store; rules.c. */
typedef struct wm_server_rules {
    wm_dialect family; /* of the connection that became ready last; unknown before the first */
    bool checks_map_names;
} wm_server_rules;

/* map_table.c. */
typedef struct wm_map_table {
    wm_map **all;
    wm_map *lagging; /* maps that have to catch up before a batch is cut: wm_record_store_catch_up */
    uint32_t count;
    wm_name_index names;   /* places in `all` */
    wm_node_names writers; /* 0 is this client */
} wm_map_table;

/* Maps that are replicated, or hear; replicas.c. */
typedef struct wm_replicas {
    wm_map **maps;
    uint32_t count;
    wm_map **by_template; /* the maps of the log's templates; NULL where the map is none of these */
    uint32_t template_count;
    wm_owners owners;
    wm_record_space space; /* of all that are compared */
    wm_buffer frame;       /* of the question that is sent */
} wm_replicas;

/* In-doubt writes; own_records.c. */
typedef struct wm_indoubt {
    wm_indoubt_writes *writes; /* NULL until a v2 connection ends with batches in flight */
    bool is_losing_v2;         /* operations that return now are in doubt */
} wm_indoubt;

/* Limits of the op log; backpressure.c. */
typedef struct wm_backpressure {
    bool is_above_high;
    wm_watermark high;
    wm_watermark low;
    double low_share;  /* low watermark of a node's share of the log, 0..1 */
    uint32_t node_ops; /* a node's share: its unacknowledged operations */
    size_t node_bytes;
    int64_t full_partition; /* the partition of the last write that was refused because its node's share is full; -1: none */
} wm_backpressure;

/* The write path; write_path.c. */
typedef struct wm_writer {
    wm_hlc clock;
    wm_op_ids ids;
    wm_open_write open;
    int status;
    size_t refused_bytes; /* of key and value, when the status is about their size */
    uint32_t last_op;     /* index of the newest operation, settled or not */
    bool drop_oldest;
} wm_writer;

/* What setting the hash or choosing a map has left undone for want of memory; routes.c. */
typedef struct wm_unfinished_routes {
    uint32_t partitions; /* assign operations to this many partitions; 0: done */
    bool has_to_choose;  /* choose the map again */
} wm_unfinished_routes;

/* The op log's file; recovery.c. */
typedef struct wm_log_file_watch {
    uint64_t looked_us; /* when it was last checked to be in its place */
    uint64_t failed_us; /* when writing it failed last; 0: it did not */
} wm_log_file_watch;

/* A query whose messages are not for the script. */
typedef struct wm_subscription {
    char *id;
    wm_map *map; /* that it is about, if its messages are hints for a replica; or NULL */
} wm_subscription;

/* subscriptions.c. */
typedef struct wm_subscriptions {
    wm_subscription *all;
    uint32_t count;
} wm_subscriptions;

/* life.c. */
typedef struct wm_tick {
    uv_timer_t *timer;      /* deadlines, pauses, linger; freed by its close callback */
    int64_t wall_offset_us; /* Unix time minus monotonic time */
} wm_tick;

struct wm_client {
    wm_loop *loop;
    wm_transport *transport;
    wm_node_pool *pool;
    wm_map_chooser *chooser;
    wm_oplog *log;
    wm_batcher *batcher;
    wm_dead_letters *dead_letters;
    wm_event_queue events;
    wm_route_table routes;
    wm_unfinished_routes unfinished;
    wm_membership membership;
    wm_client_connections connections;
    wm_server_rules rules;
    wm_map_table maps;
    wm_replicas replicas;
    wm_writer writer;
    wm_indoubt indoubt;
    wm_backpressure backpressure;
    wm_log_file_watch log_file;
    wm_subscriptions subscriptions;
    wm_listener_hooks listener_hooks;
    wm_client_figures figures;
    wm_tick tick;
    uint64_t now_us; /* time of the current message or tick */
    wm_message_limits message_limits;
    uint64_t ack_timeout_us;
    uint32_t windowed_ops;  /* operations in one batch on a connection with a send window */
    uint32_t fixed_ops;     /* in flight, in place of what the send windows say; 0: they say it */
    int foreign_connection; /* of a provider outside the pool; WM_NO_CONNECTION: none yet */
    uint8_t max_tries;
    bool forwards_acks; /* unmatched acknowledgements become messages for the script */
};

/* The value of a removal: nil. */
static const uint8_t wm_removed_value[] = {0xc0};

static inline void wm_client_event(wm_client *c, wm_event event, const void *text, size_t len)
{
    wm_event_queue_push(&c->events, event, text, len);
}

static inline uint64_t wm_client_unix_ms(const wm_client *c)
{
    return (uint64_t)((int64_t)c->now_us + c->tick.wall_offset_us) / 1000;
}

/* NULL when there is none of this name. */
wm_map *wm_client_find_map(const wm_client *c, const char *name, size_t len);
/* The number that stands for a node's id in records. False when out of memory. */
bool wm_client_intern_node(wm_client *c, const char *name, size_t len, uint32_t *out);
/* Whether the operation that wrote this record of this client is unsettled. Its index in the log may be
 * another operation's by now, or, harmlessly, that of a newer one of the key. */
bool wm_map_is_unsettled(const wm_map *m, const wm_record *record);
/* See wm_batcher_hooks.settles_out_of_order. */
void wm_client_op_settles_out_of_order(void *client, uint32_t index);
/* Calls wm_record_store_catch_up for all maps that need it. Call it before a batch is cut. */
void wm_client_catch_up(wm_client *c);
void wm_client_on_message(void *user, int connection, const wm_message *m);
/* Part of wm_client_use_connection, and of the end of a connection: for listening ones. */
void wm_client_listener_began(wm_client *c, int connection);
void wm_client_listener_ended(wm_client *c, int connection);
void wm_client_on_too_large(void *user, int connection, const uint8_t *description, size_t len);
void wm_client_on_map_event(void *user, int connection, const uint8_t *event, size_t len, const wm_message_cost *cost);
void wm_client_on_text(void *user, int connection, const uint8_t *bytes, size_t len);
/* Throttles the connection: nothing is sent on it for 50 ms, and for twice as long at each further call,
 * up to 2 s, until an acknowledgement comes. */
void wm_client_throttle(wm_client *c, int connection);
/* Gives a connection that has become ready its send window. */
void wm_client_open_window(wm_client *c, int connection, bool is_v2);
/* Adapts the window of a v2 server's connection: a batch of `ops` operations, which still count as in
 * flight, was acknowledged; or the server refused one. `is_rate`: because of their rate. */
void wm_client_window_acked(wm_client *c, int connection, uint32_t ops, uint64_t cut_us);
void wm_client_window_refused(wm_client *c, int connection, bool is_rate);
/* Notes that a batch of `ops` operations was cut: the next one may have to wait. */
void wm_client_pace(wm_client *c, int connection, uint32_t ops, uint64_t now_us);
/* Rejects an operation that is in flight on the connection, or set aside after it failed there: it is
 * settled and becomes a dead letter, and WM_EVENT_OP_REJECTED reports it. `reason`: text of the server
 * or of this client. */
void wm_client_reject(wm_client *c, int connection, uint32_t index, const void *reason, size_t len);
/* The same for an operation that was removed from its queue. */
void wm_client_reject_taken(wm_client *c, uint32_t index, const void *reason, size_t len);
/* Rejects all poison messages that were found. */
void wm_client_reject_poison(wm_client *c);
/* Handles an ERROR message. True when it may be about batches in flight and its text blames the server, not
 * an operation. */
bool wm_client_refused(wm_client *c, int connection, const wm_message *m);
/* Sets aside, or makes pending again, the batches that errors were about, once it is known which these are.
 * Call it after each acknowledgement, too. */
void wm_client_settle_refused(wm_client *c, int connection);
/* Forgets the errors of a connection: they were dealt with, or its WebSocket is a new one. */
void wm_client_forget_refusals(wm_client *c, int connection);
/* Handles the connection's batches that are past their deadline. */
void wm_client_check_answers(wm_client *c, int connection);
/* Whether an acknowledgement answers a control that was sent on this connection. */
bool wm_client_is_control_ack(wm_client *c, int connection, const char *last_id, size_t len);
/* Sets aside the batches in flight that may have caused the end of the connection. Call it before its
 * batches are released. */
void wm_client_blame(wm_client *c, int connection, const wm_connection_loss *loss);
/* Compares the fill of the log, and of a full node's share, with the watermarks, and sends the events. */
void wm_client_check_watermarks(wm_client *c);
/* Whether unacknowledged operations of the partition's node fill its share of the log. False while
 * there is only one node. */
bool wm_client_is_node_full(const wm_client *c, uint32_t partition);
/* Whether one more operation of the partition is accepted: WM_OK (with `drop_oldest` also when others
 * have to be dropped for it), WM_EFULL when the log is full, or WM_ENODE when the node's share of it is.
 * Changes nothing in the log. */
int wm_client_check_backpressure(wm_client *c, uint32_t partition);
/* Drops the oldest pending operations until the log, without `newest`, is below its limits: first
 * those of the newest one's node, then any. WM_EVENT_OP_DROPPED names each. Operations in flight
 * are not dropped. Call it once `newest` is recorded, so that nothing is dropped in vain. */
void wm_client_displace(wm_client *c, uint32_t newest);
/* Tries again what c->unfinished says was not done for want of memory; then WM_EVENT_MAP has the script
 * set the routes. Call it at each tick of the timer. */
void wm_client_retry_routes(wm_client *c);
/* Gives every partition the connection of its route that is ready, or none. */
void wm_client_apply_routes(wm_client *c);
void wm_client_free_maps(wm_client *c);
/* NULL: none has this id. */
const wm_subscription *wm_client_subscription(const wm_client *c, const char *query_id, size_t len);
void wm_client_free_subscriptions(wm_client *c);
/* Opens the log's file, if the options name one. The client takes its id from the file, and the file's
 * operations are pending and in the local copy. False with the problem, and the reason in `error`. */
bool wm_client_open_log(wm_client *c, const wm_client_options *o, wm_log_problem *problem, char *error, size_t size);
/* The record of a key if it is this client's, and no other value is known of the key. */
bool wm_map_own(wm_map *m, uint32_t hash, const char *key, size_t len, wm_record *out);
/* Notes that `op` writes the stored record of a key once more: it is pending again. */
void wm_map_written_again(wm_map *m, uint32_t hash, const char *key, size_t len, uint32_t op);
/* Takes the record of an operation from the log's file, whose index is `op`, if it is newer than the stored one. WM_OK;
 * 1 when that stays; WM_EINVAL for an impossible time; WM_ENOMEM. */
int wm_map_restore(wm_map *m, const wm_op_view *view, uint32_t op);
/* Sets name_status, value_max and record_max, by the map's name and the server family. */
void wm_map_apply_rules(wm_map *m);
/* Sets and returns the status for a key and a value of `bytes`, which are above m->record_max. */
int wm_map_refuse_size(wm_map *m, size_t bytes);
/* Sets the server family, which a connection that is ready has shown, and rejects pending operations that
 * it cannot store. Call it before anything is sent. */
void wm_client_know_family(wm_client *c, wm_dialect family);
/* Rejects pending operations that no server of the family can store. */
void wm_client_judge_log(wm_client *c);
/* Records an operation once more, with its old timestamp. Returns its seq; WM_ESTALE when the local
 * copy has a newer record of the key; or another negative status. */
double wm_map_write_again(wm_map *m, const wm_op_view *view);
/* Gives the local record of a write the time of its acknowledgement, if a v2 node acknowledged it after the
 * partition had moved, or late. v2 servers stamp records when they arrive, so an older write of the key,
 * at the partition's former node, may have a later time than this write had here. Only client:repair compares these
 * times with a server's, for maps of which nothing is heard; what the local copy shows does not depend on them. */
void wm_client_acked_late(wm_client *c, const wm_op *op);
/* Keeps the keys that 0.11 nodes acknowledge from now on, in at most twice this many bytes; 0: none. False
 * when out of memory. */
bool wm_client_keeps_acks(wm_client *c, size_t bytes);
void wm_client_free_acks(wm_client *c);
/* Keeps the keys of operations that a 0.11 node has just acknowledged. Only with membership.acks. */
void wm_client_keep_acked(wm_client *c, const uint32_t *ops, uint32_t count, uint64_t sent_us);
/* Settles an operation of the op log's file that was acknowledged just before its process ended. It is
 * repeated if the cluster turns out to be 0.11, as after a membership change. */
void wm_client_keep_loaded(wm_client *c, uint32_t index);
/* Notes that a 0.11 node was lost, so that its last acknowledgements may be in doubt. */
void wm_client_node_lost(wm_client *c);
/* Notes that a 0.11 node has a new map: recently acknowledged operations have to be repeated. */
void wm_client_membership_changed(wm_client *c);
/* Repeats some of these operations, when they are due. Call it at each tick of the timer. */
void wm_client_check_membership(wm_client *c);
/* Records the last write of this client to a key once more, as wm_map_resend, but without dropping another
 * operation, and without being measured. WM_OK; 1 when that is not needed, as there is a newer record
 * or an unsettled operation of the key; WM_EFULL, WM_ENODE or WM_ENOMEM: try again later; another
 * negative status: the server family does not store it. `template`: of an operation of the map. */
int wm_client_repeat(wm_client *c, uint32_t template, const char *key, size_t key_len);
/* -- replicas.c: each returns at once when no map is replicated or hears -- */
/* Takes a message if it is for a replica; false when it is not. */
bool wm_client_replica_takes(wm_client *c, int connection, const wm_message *m);
/* The same for one event of a SERVER_BATCH_EVENT. */
bool wm_client_replica_takes_event(wm_client *c, int connection, const uint8_t *event, size_t len);
/* The server family is known: maps that are to hear begin. */
void wm_client_hear_maps(wm_client *c);
/* A node has acknowledged the operation, which is not settled yet. */
void wm_client_replica_acked(wm_client *c, int node_index, const wm_op *op, uint32_t index);
/* Something has changed in the map; it is not known at which node. */
void wm_client_replica_hint(wm_client *c, const wm_map *m);
void wm_client_replica_lost(wm_client *c, int connection);
/* Sends what is due. Call it at each tick of the timer. */
void wm_client_tend_replicas(wm_client *c);
void wm_client_free_replicas(wm_client *c);
/* Settles an operation that no node has acknowledged, and marks its record: WM_RECORD_REJECTED or WM_RECORD_DROPPED. */
void wm_client_settle_not_stored(wm_client *c, uint32_t op, uint8_t mark);
/* Adds a write to the in-doubt writes. */
void wm_client_note_indoubt(wm_client *c, const wm_op *op);
#endif
