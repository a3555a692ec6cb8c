#ifndef WM_BATCHER_STATE_H
#define WM_BATCHER_STATE_H
#include "oplog/batcher.h"

/* Shared by the batcher's own files. Each uses those before it: batcher_queue.c (send queues and retry
 * queues), batcher_batch.c (one batch), batcher_bisect.c (groups and trials), batcher_flight.c (cutting,
 * acknowledging and releasing batches); and batcher_routes.c (connections, routes, figures). */

#define NO_PARTITION UINT32_MAX

/* A partition, with its retry queue: operations that have no route, returned from a batch, were
 * pending when the route changed, or wait for another operation of their key. All of them are older
 * than the partition's operations in a send queue. */
typedef struct partition {
    size_t bytes;  /* of the retry queue */
    uint32_t head; /* oldest first */
    uint32_t tail;
    uint32_t count;
    bool ready;    /* is in its connection's ready ring */
    bool rerouted; /* its route changed since wm_batcher_move_rerouted */
    uint32_t ready_next;
    uint32_t ready_prev;
} partition;

typedef struct batch {
    struct batch *next; /* towards the newer ones */
    uint32_t *ops;      /* WM_NO_OP where one was removed */
    uint32_t count;
    uint32_t cap;
    uint32_t live; /* operations that were not removed */
    wm_batch_times times;
    uint64_t deadline_us;
    /* Id of the last operation as sent, which the acknowledgement names. Of a group: that of the failed
     * batch, as long as none of its operations was sent again; zeros then. */
    char last_id[WM_OP_ID_LEN];
    char earlier_id[WM_OP_ID_LEN]; /* of a trial: last_id of its group */
    /* Of a group that is set aside, and of its trial. */
    bool is_trial;
    uint8_t fault;    /* wm_batch_fault, of the last failure */
    uint8_t attempts; /* failures so far; the wait before the next trial grows with them */
    uint8_t proofs;   /* failures of an operation alone that count */
    int failed_connection;
    uint64_t failed_cut_us; /* when the batch or trial was cut whose failure does not count yet; 0: none */
    uint64_t retry_us;      /* the earliest time of the next trial */
} batch;

typedef struct connection {
    bool serial;
    uint32_t batch_ops;    /* operations in one batch; UINT32_MAX: as many as b->limits allow */
    uint32_t window;       /* operations in flight; UINT32_MAX: any number */
    bool is_closed;        /* nothing is sent: wm_batcher_close_window */
    bool others_first;     /* a trial has ended: one batch of other operations is sent before the next trial */
    batch *trial;          /* in flight */
    uint64_t acked_cut_us; /* when the newest batch was cut that was acknowledged */
    uint32_t ready;        /* ring of partitions whose retry queue may be sent from; the one to serve first */
    uint32_t send_head;    /* the send queue, in the order of recording; sent from after all ready retry queues */
    uint32_t send_tail;
    bool has_rerouted; /* the send queue may have operations of partitions whose route changed */
    uint32_t pending_ops;
    size_t pending_bytes;
    uint64_t waiting_since_us; /* when the oldest pending operation came */
    batch *oldest;
    batch *newest;
    const batch *prefetched; /* its operations were prefetched for its acknowledgement; compared, never read */
    batch *unwritten;        /* the first that the socket has not accepted whole, as far as is known */
    uint32_t in_flight_batches;
    uint32_t in_flight_ops;
    size_t in_flight_bytes;
} connection;

struct wm_batcher {
    wm_oplog *log;
    wm_batch_limits limits;
    wm_batcher_hooks hooks;
    wm_route_table *routes;
    partition *partitions; /* one for each of the route table's */
    uint32_t partition_count;
    bool has_rerouted; /* one of the connections has */
    connection *connections;
    uint32_t connection_count;
    batch *spare;        /* batches for reuse */
    batch *aside_oldest; /* groups of operations that are set aside */
    batch *aside_newest;
    uint32_t groups;
    uint32_t aside; /* operations in them */
    uint32_t held;  /* pending operations of partitions without a route */
    size_t held_bytes;
    /* Added while their partition had no route, since the last wm_batcher_newly_held. */
    uint32_t newly_held[WM_NEWLY_HELD_MAX];
    uint32_t newly_held_count;
    bool has_lost_routes; /* partitions with pending operations lost their route since then */
};

/* Whether an operation may join a batch that is cut now: the older operation of its key, if it is
 * unsettled, is in the same batch, or, unless the connection is serial, in flight. */
static inline bool wm_batcher_may_join(const wm_batcher *b, const connection *c, uint32_t op)
{
    if (!wm_oplog_at(b->log, op)->follows) return true;
    wm_op_state before = wm_oplog_at(b->log, wm_oplog_before(b->log, op))->state;
    return before == WM_OP_JOINING || (before == WM_OP_IN_FLIGHT && !c->serial);
}

/* The connection that a partition is routed to; WM_NO_CONNECTION: held. */
static inline int wm_batcher_route_of(const wm_batcher *b, uint32_t id)
{
    return b->routes->all[id].connection;
}

/* Subtracts an operation from what is in flight. */
static inline void wm_batcher_leaves_flight(connection *c, const wm_op *op)
{
    c->in_flight_ops--;
    c->in_flight_bytes -= op->len;
}

/* -- batcher_batch.c -- */

/* An empty batch that takes `count` operations; NULL when out of memory. */
batch *wm_batcher_new_batch(wm_batcher *b, uint32_t count);
/* Keeps a batch that is not used any more for wm_batcher_new_batch. */
void wm_batcher_keep_spare(wm_batcher *b, batch *t);
/* Appends the OP_BATCH message of a batch to `frame`; its operations, `bytes` long, are in flight on
 * the connection then. False when out of memory: nothing changed. */
bool wm_batcher_send(wm_batcher *b, int connection, batch *t, size_t bytes, wm_buffer *frame, uint64_t now_us);
/* Removes a batch from those in flight; `previous` is the one before it, NULL for the oldest. */
void wm_batcher_unlink(connection *c, batch *previous, batch *t);
/* Subtracts an operation of such a batch from what is in flight, and gives it the id of its next
 * attempt. The caller queues it. */
void wm_batcher_next_attempt(wm_batcher *b, int connection, uint32_t index);

/* Makes an operation of such a batch pending again. */
void wm_batcher_return_op(wm_batcher *b, int connection, uint32_t index, uint64_t now_us);

/* -- batcher_bisect.c -- */

typedef enum wm_trial_state {
    WM_TRIAL_NONE,  /* pending operations may be sent */
    WM_TRIAL_DUE,   /* a trial may be sent */
    WM_TRIAL_ALONE, /* nothing: a trial is in flight alone, or will be sent once nothing is in flight */
} wm_trial_state;
/* What may be sent on a connection now. Call it only while something is set aside. */
wm_trial_state wm_batcher_trial_state(wm_batcher *b, int connection, uint64_t now_us);
/* Cuts the trial that is due. Returns as wm_batcher_take; 0: no operation of a group may be sent now. */
int wm_batcher_take_trial(wm_batcher *b, int connection, wm_buffer *frame, uint64_t now_us);
/* Sets the operations of a trial aside again, which was removed from those in flight. That is no
 * failure. */
void wm_batcher_return_trial(wm_batcher *b, int connection, batch *t);
/* Settles the group of a failed batch that is acknowledged after all. Returns the number of operations
 * settled; 0 when there is no such group. */
uint32_t wm_batcher_ack_late(wm_batcher *b, int connection, const char *last_id, size_t len);
/* Counts earlier failures on the connection, on which a batch has just been acknowledged. */
void wm_batcher_confirm_failures(wm_batcher *b, int connection);

/* -- batcher_queue.c -- */

/* Adds an operation (`sign` 1) to the pending ones of a connection, or to the held ones; or subtracts
 * it (-1). */
void wm_batcher_count(wm_batcher *b, int connection, const wm_op *op, int sign);
/* Adds the partition to its connection's ready ring, or removes it, as its retry queue requires. No
 * other function decides whether a retry queue is sent from. */
void wm_batcher_refresh_ready(wm_batcher *b, uint32_t partition);
/* Removes the partition from its connection's ready ring; it must be in it. */
void wm_batcher_leave_ring(wm_batcher *b, uint32_t partition);

/* Appends to the retry queue of the operation's partition. The operation is counted already. */
void wm_batcher_queue_retry(wm_batcher *b, uint32_t op);
/* The oldest operation of a retry queue that may be sent on the partition's connection now; WM_NO_OP
 * when there is none. Sets *before to the operation in front of it, which wm_batcher_leave_retry_queue
 * needs. */
uint32_t wm_batcher_first_ready(const wm_batcher *b, const connection *c, const partition *p, uint32_t *before);
/* Removes such an operation from the queue. */
void wm_batcher_leave_retry_queue(wm_batcher *b, partition *p, uint32_t op, uint32_t before);
/* Removes the oldest operation from a connection's send queue, which is not empty. */
uint32_t wm_batcher_pop_send_queue(wm_batcher *b, connection *c);
/* Inserts an operation that was in a batch into its partition's retry queue, by its seq. The place is
 * nearly always the front: what was sent is older than what is pending. */
void wm_batcher_put_back(wm_batcher *b, uint32_t op, uint64_t now_us);
/* Moves operations out of send queues to the retry queues of partitions whose route has changed. Call it
 * before reading any queue or its figures. */
void wm_batcher_move_rerouted(wm_batcher *b);
#endif
