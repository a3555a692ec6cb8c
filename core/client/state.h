#ifndef WM_STATE_H
#define WM_STATE_H
#include "base/name_index.h"
#include "client/client.h"
#include "client/parts/indoubt_writes.h"
#include "client/parts/recent_acks.h"
#include "cluster/route_table.h"
#include "oplog/dead_letters.h"

/* What a client is, for its own files. In this folder, from the ground up: figures.c (what others
 * read), throttle.c (the pause after an overload), rules.c (what no server can store), map_table.c (the maps), merge.c
 * (what becomes of records), backpressure.c (how full the log may be), write_path.c (how an
 * operation is recorded), rejection.c (dead letters), judge.c (what was recorded too early),
 * routes.c (where operations go), membership.c (what is sent again). In client/traffic what
 * happens: messages.c, poison.c, recovery.c, ack_hooks.c, pool_hooks.c, nodes.c, foreign.c, life.c. */

/* Each is sent after twice the time of the one before: 256 times ack_timeout in all. */
#define WM_CONTROLS_MAX 8u

/* What the client knows of a connection, beside the pool: whether operations may use it, its
 * throttle, and its tests of whether the server answers. */
typedef struct wm_client_connection {
    bool usable; /* the script knows which node answers there */
    uint64_t throttled_until_us;
    uint64_t backoff_us; /* length of the last throttle; 0 after an acknowledgement */
    struct wm_refusals *refusals; /* what errors say about batches in flight; NULL: none came yet */
    uint64_t asked_us;          /* when the server was asked last whether it answers; 0: never */
    uint64_t controls_us[WM_CONTROLS_MAX]; /* when the controls were sent that are not acknowledged */
    uint32_t controls;          /* their number */
    uint64_t control_acked_us;  /* when the newest acknowledged control was sent, at the earliest; 0: none */
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
    uint32_t put_template; /* of its operations in the log */
    uint32_t remove_template;
    int name_status;   /* why nothing can be written; WM_OK else. See rules.c for these */
    size_t value_max;  /* bytes that a write may begin with: 0 when nothing can be written */
    size_t record_max; /* bytes of key and value */
    bool lags; /* is among the client's lagging maps */
    wm_map *next_lagging;
};

/* What a 0.11 cluster acknowledged, for its membership changes; see membership.c. */
typedef struct wm_membership {
    wm_recent_acks *acks; /* NULL: not kept */
    wm_recent_acks *late_acks; /* to be sent again at once, once no window is open */
    bool is_open;         /* the membership has changed, and not all is sent again */
    bool has_loaded;      /* the op log's file had something to send again, and it is not known to which cluster */
    bool is_given_up;     /* what is to be sent again will not be, and is counted as unverified */
    uint64_t from_us;     /* of the acknowledgements that are doubtful */
    uint64_t opened_us;
    uint64_t due_us;      /* when sending begins */
    uint64_t until_us;    /* of the acknowledgements that are doubtful; 0: sending has not begun */
    uint64_t changed_again_us; /* since then; 0: not */
    uint64_t agreed_us;   /* when the nodes agreed again after the last change */
    uint64_t last_repeat; /* seq of the newest operation that repeats another; 0: none */
    uint64_t lost_us;     /* when a node was lost that no change has accounted for; 0: none */
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

/* What others read; figures.c. */
typedef struct wm_client_figures {
    wm_client_stats stats;
    wm_node_stats *node_stats; /* by node index */
    wm_histogram *ack_latency;
    wm_histogram *batch_sizes;
    wm_op_metrics *metrics; /* of a load test, its own; NULL: no test */
} wm_client_figures;

/* throttle.c, poison.c. */
typedef struct wm_client_connections {
    wm_client_connection *all; /* by connection */
    uint32_t count;
} wm_client_connections;

/* What the servers at the other end cannot store; rules.c. */
typedef struct wm_server_rules {
    wm_dialect family; /* of the connection that became ready last; unknown before the first */
    bool checks_map_names;
} wm_server_rules;

/* map_table.c. */
typedef struct wm_map_table {
    wm_map **all;
    wm_map *lagging; /* maps whose records may have to catch up before operations leave */
    uint32_t count;
    wm_name_index names; /* places in `all` */
    char **node_names; /* interned node ids; 0 is this client */
    uint32_t node_name_count;
} wm_map_table;

/* Writes whose fate is not known; merge.c. */
typedef struct wm_indoubt {
    wm_indoubt_writes *writes; /* NULL until a v2 connection ends with batches in flight */
    bool is_losing_v2;         /* what comes back to pending now is in doubt */
} wm_indoubt;

/* How full the op log may be; backpressure.c. */
typedef struct wm_backpressure {
    bool is_above_high;
    wm_watermark high;
    wm_watermark low;
    double low_share;   /* of a node's share of the log */
    uint32_t node_ops;  /* what may wait for one node */
    size_t node_bytes;
    int64_t full_partition; /* whose node a write was refused for; -1: none */
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

/* What memory was short for when the hash was set or a map chosen; routes.c. */
typedef struct wm_unfinished_routes {
    uint32_t partitions; /* operations are to be assigned to so many; 0: they are assigned */
    bool has_to_choose;  /* it is to be looked which map is believed */
} wm_unfinished_routes;

/* The op log's file; recovery.c. */
typedef struct wm_log_file_watch {
    uint64_t looked_us; /* when it was last looked whether it is in its place */
    uint64_t failed_us; /* when it could not be written last; 0: it could */
} wm_log_file_watch;

/* Ids of queries; subscriptions.c. */
typedef struct wm_subscriptions {
    char **ids;
    uint32_t count;
} wm_subscriptions;

/* life.c. */
typedef struct wm_tick {
    uv_timer_t *timer; /* deadlines, pauses, linger; freed by its close callback */
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
    wm_writer writer;
    wm_indoubt indoubt;
    wm_backpressure backpressure;
    wm_log_file_watch log_file;
    wm_subscriptions subscriptions;
    wm_client_figures figures;
    wm_tick tick;
    uint64_t now_us;   /* of the message or tick at hand */
    wm_message_limits message_limits;
    uint64_t ack_timeout_us;
    int foreign_connection; /* of a provider outside the pool; WM_NO_CONNECTION: none yet */
    uint8_t max_tries;
    bool forwards_acks; /* unmatched acknowledgements become messages for the script */
};

/* What a removal carries as its value: nil. */
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
/* Whether the operation that wrote this record of ours is not settled: its place in the log
 * may be another operation's by now, or, harmlessly, a newer one of the key. */
bool wm_map_is_unsettled(const wm_map *m, const wm_record *record);
/* See wm_batcher_hooks.leaves_first. */
void wm_client_op_leaves_first(void *client, uint32_t index);
/* To be called before a batch is cut: see wm_record_store_catch_up. */
void wm_client_catch_up(wm_client *c);
void wm_client_on_message(void *user, int connection, const wm_message *m);
void wm_client_on_too_large(void *user, int connection, const uint8_t *description, size_t len);
void wm_client_on_change(void *user, int connection, const uint8_t *event, size_t len, const wm_message_cost *cost);
void wm_client_on_text(void *user, int connection, const uint8_t *bytes, size_t len);
/* Throttles the connection: nothing is sent on it for 50 ms, and for twice as long at each further call,
 * up to 2 s, until an acknowledgement comes. */
void wm_client_throttle(wm_client *c, int connection);
/* Settles an operation as rejected that is in flight on the connection, or that is set aside after it
 * failed there, with the words of whoever rejected it: it leaves the log, becomes a dead letter
 * and is told. */
void wm_client_reject(wm_client *c, int connection, uint32_t index, const void *reason, size_t len);
/* The same with an operation that is in no batch and was taken out of where it waited. */
void wm_client_reject_taken(wm_client *c, uint32_t index, const void *reason, size_t len);
/* Rejects what was found to be poison. */
void wm_client_reject_poison(wm_client *c);
/* An ERROR came on the connection. True when batches were in flight that it may be about, and it
 * is about the server as far as its words say. */
bool wm_client_refused(wm_client *c, int connection, const wm_message *m);
/* Deals with the batches that errors were about, once it is known which: to be called after
 * each acknowledgement, too. */
void wm_client_settle_refused(wm_client *c, int connection);
/* Forgets the errors of a connection: they were dealt with, or its WebSocket is a new one. */
void wm_client_forget_refusals(wm_client *c, int connection);
/* Looks for batches that should have been acknowledged by now. */
void wm_client_check_answers(wm_client *c, int connection);
/* Whether an acknowledgement confirms the batch of no operations that asked the server on
 * this connection whether it acknowledges. */
bool wm_client_is_control_ack(wm_client *c, int connection, const char *last_id, size_t len);
/* The connection ended: was it for something that is in flight? To be called before its batches are
 * given back. */
void wm_client_blame(wm_client *c, int connection, const wm_connection_loss *loss);
/* Compares the fill of the log, and of a node's share in it, with the watermarks. */
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
/* Does what memory was short for when the hash was set or a map chosen, and then has the script
 * set the routes; to be called in each turn of the timer. */
void wm_client_retry_routes(wm_client *c);
/* Points every partition at a connection that is ready, or at none. */
void wm_client_apply_routes(wm_client *c);
void wm_client_free_maps(wm_client *c);
bool wm_client_is_subscription(const wm_client *c, const char *query_id, size_t len);
void wm_client_free_subscriptions(wm_client *c);
/* Opens the log's file, if the options name one: the client's id is the file's, what is in it
 * is pending and in the local copy. False with the problem, and the reason in `error`. */
bool wm_client_open_log(wm_client *c, const wm_client_options *o, wm_log_problem *problem, char *error, size_t size);
/* Merges the record of an operation that the log's file held, now at index `op`. As
 * wm_map_merge. */
int wm_map_restore(wm_map *m, const wm_op_view *view, uint32_t op);
/* Sets what may be written to the map, by its name and the server family. */
void wm_map_apply_rules(wm_map *m);
/* Sets the status about a key and a value that are larger than m->record_max, and returns it. */
int wm_map_refuse_size(wm_map *m, size_t bytes);
/* Which server family is at the other end, as a connection that is ready shows: what is
 * pending and cannot be stored there is rejected. To be called before anything is sent. */
void wm_client_know_family(wm_client *c, wm_dialect family);
/* Rejects what is pending and can be stored by no server of the family. */
void wm_client_judge_log(wm_client *c);
/* Records an operation once more, with the time that it was made at. Its seq, WM_ESTALE when
 * the local copy has a newer record of the key, or another negative status. */
double wm_map_write_again(wm_map *m, const wm_op_view *view);
/* A write was acknowledged by a v2 node after its partition had moved, or after a long
 * wait. Such a
 * server stamps records when they arrive, so an older write of the same key, at
 * the node that had the partition before, may have a later time than this one was
 * made at. The local record gets the time of the acknowledgement: so it is known
 * which of the two is newer. */
void wm_client_acked_late(wm_client *c, const wm_op *op);
/* Keeps the keys of what 0.11 nodes acknowledge from now on, in twice so many bytes at most;
 * 0: nothing. False when out of memory. */
bool wm_client_keeps_acks(wm_client *c, size_t bytes);
void wm_client_free_acks(wm_client *c);
/* Keeps the keys of operations that a 0.11 node has just acknowledged, and that left then;
 * there is a place for them (membership.acks). */
void wm_client_keep_acked(wm_client *c, const uint32_t *ops, uint32_t count, uint64_t sent_us);
/* An operation of the op log's file was acknowledged just before the process ended: it leaves the log,
 * is sent again to a 0.11 cluster as after a membership change, and is dropped with a v2 one. */
void wm_client_keep_loaded(wm_client *c, uint32_t index);
/* A 0.11 node is gone, and its last acknowledgements with it, perhaps. */
void wm_client_node_lost(wm_client *c);
/* A node of a 0.11 cluster has a new map: what was acknowledged lately is to be sent again. */
void wm_client_membership_changed(wm_client *c);
/* Sends some of that, when it is time; to be called in each turn of the timer. */
void wm_client_check_membership(wm_client *c);
/* Records what this client wrote last to a key once more, as wm_map_resend, but never at the
 * cost of another operation, and outside of all measurements. WM_OK; 1 when that is not
 * needed: a newer record is there, or an operation of the key has yet to be acknowledged;
 * WM_EFULL, WM_ENODE, WM_ENOMEM: later; another negative status: servers as they are known now do
 * not store it. `template` is that of an operation of the map. */
int wm_client_repeat(wm_client *c, uint32_t template, const char *key, size_t key_len);
/* Remembers a write that comes back from a v2 connection that ended. */
void wm_client_note_indoubt(wm_client *c, const wm_op *op);
#endif
