#ifndef WM_BATCHER_STATE_H
#define WM_BATCHER_STATE_H
#include "oplog/batcher.h"

/* Shared by the batcher's own files, each of which uses those before it: batcher_queue.c (what
 * waits), batcher_batch.c (one batch), batcher_bisect.c (what is set aside, and how it is tried),
 * batcher_flight.c (what leaves, and how that ends); and batcher_routes.c (where what waits goes). */

#define NO_PARTITION UINT32_MAX

/* What cannot stand in its connection's line: operations without a route, that came back, whose
 * partition moved, or that wait for another one of their key. All of them are older than
 * what stands in a line of the partition. */
typedef struct partition {
    size_t bytes; /* of the queue */
    uint32_t head; /* oldest first */
    uint32_t tail;
    uint32_t count;
    int connection;
    bool ready; /* stands in its connection's ready ring */
    bool moved; /* since strays were looked for */
    uint32_t ready_next;
    uint32_t ready_prev;
} partition;

typedef struct batch {
    struct batch *next; /* towards the newer ones */
    uint32_t *ops;      /* WM_NO_OP where one was taken out */
    uint32_t count;
    uint32_t cap;
    uint32_t live; /* operations that were not taken out */
    wm_batch_times times;
    uint64_t deadline_us;
    /* As sent: what its acknowledgement names. Of a group: of the batch that failed, as long as
     * nothing of that was sent again; zeros else. */
    char last_id[WM_OP_ID_LEN];
    char earlier_id[WM_OP_ID_LEN]; /* of a trial: its group's */
    /* Of a group that is set aside, and of its trial. */
    bool is_trial;
    uint8_t fault;          /* wm_batch_fault, of the last failure */
    uint8_t attempts;       /* failures so far, for how long to wait */
    uint8_t proofs;         /* failures of an operation alone that count */
    int failed_connection;
    uint64_t failed_cut_us; /* when the trial was cut whose failure does not count yet; 0: none */
    uint64_t retry_us;      /* not tried before */
} batch;

typedef struct connection {
    bool serial;
    bool is_closed; /* nothing leaves: see wm_batcher_close_window */
    bool rests;     /* a trial has ended; what else waits has a turn before the next one */
    batch *trial;   /* in flight */
    uint64_t acked_cut_us; /* when the newest batch was cut that was acknowledged */
    uint32_t ready; /* a ring of partitions whose queue may be sent from; the one to serve first */
    uint32_t line_head; /* operations in the order of recording, which leave when no ready queue is left */
    uint32_t line_tail;
    bool has_strays; /* its line may have operations of partitions that moved */
    uint32_t pending_ops;
    size_t pending_bytes;
    uint64_t waiting_since_us; /* when the oldest pending operation came */
    batch *oldest;
    batch *newest;
    const batch *near; /* whose operations were asked for ahead of its acknowledgement; compared, not looked into */
    batch *unwritten; /* the first that the kernel has not taken whole, as far as was told */
    uint32_t in_flight_batches;
    uint32_t in_flight_ops;
    size_t in_flight_bytes;
} connection;

struct wm_batcher {
    wm_oplog *log;
    wm_batch_limits limits;
    wm_batcher_hooks hooks;
    partition *partitions;
    uint32_t partition_count;
    bool has_strays; /* one of the connections has */
    connection *connections;
    uint32_t connection_count;
    batch *spare; /* batches to be used again */
    batch *aside_oldest; /* groups of operations that are set aside */
    batch *aside_newest;
    uint32_t groups;
    uint32_t aside; /* operations in them */
    uint32_t held; /* pending operations of partitions without a route */
    size_t held_bytes;
    /* Added while their partition had no route, since somebody asked last. */
    uint32_t newly_held[WM_NEWLY_HELD_MAX];
    uint32_t newly_held_count;
    bool has_lost_routes; /* partitions of pending operations, since then */
};

/* Whether an operation may join a batch that is cut now, with regard to the older ones of its
 * key: on a serial connection they must be in the same batch, elsewhere they must have left. */
static inline bool wm_batcher_may_join(const wm_batcher *b, const connection *c, uint32_t op)
{
    if (!wm_oplog_at(b->log, op)->follows) return true;
    wm_op_state before = wm_oplog_at(b->log, wm_oplog_before(b->log, op))->state;
    return before == WM_OP_JOINING || (before == WM_OP_IN_FLIGHT && !c->serial);
}

/* An operation of a batch is in flight no more. */
static inline void wm_batcher_leaves_flight(connection *c, const wm_op *op)
{
    c->in_flight_ops--;
    c->in_flight_bytes -= op->len;
}

/* -- batcher_batch.c -- */

/* An empty batch with room for so many operations; NULL when out of memory. */
batch *wm_batcher_new_batch(wm_batcher *b, uint32_t count);
void wm_batcher_keep_spare(wm_batcher *b, batch *t);
/* Writes the operations of a batch, which are `bytes` long, to a frame: they are in flight on
 * the connection then. False when out of memory: nothing changed. */
bool wm_batcher_send(wm_batcher *b, int connection, batch *t, size_t bytes, wm_buffer *frame, uint64_t now_us);
/* Takes a batch out of what is in flight; `previous` is the one before it, NULL for the oldest. */
void wm_batcher_unlink(connection *c, batch *previous, batch *t);
/* An operation of such a batch comes back: it is counted as not in flight, and gets the id of
 * its next attempt. Where it goes is the caller's to say. */
void wm_batcher_comes_back(wm_batcher *b, int connection, uint32_t index);

/* An operation of such a batch is pending again. */
void wm_batcher_return_op(wm_batcher *b, int connection, uint32_t index, uint64_t now_us);

/* -- batcher_bisect.c -- */

typedef enum wm_trial_state {
    WM_TRIAL_NONE,  /* what else waits may leave */
    WM_TRIAL_DUE,   /* a group may */
    WM_TRIAL_ALONE, /* nothing may: a group is tried alone, or will be once all is answered */
} wm_trial_state;
/* What may leave on a connection now. To be asked only while something is set aside. */
wm_trial_state wm_batcher_trial_state(wm_batcher *b, int connection, uint64_t now_us);
/* Cuts the trial that is due. As wm_batcher_take; 0: none of the group may leave now. */
int wm_batcher_take_trial(wm_batcher *b, int connection, wm_buffer *frame, uint64_t now_us);
/* A trial that is in flight no more goes back unblamed. */
void wm_batcher_return_trial(wm_batcher *b, int connection, batch *t);
/* An acknowledgement that names no batch in flight: of one that was taken for failed, perhaps.
 * The operations that it settled. */
uint32_t wm_batcher_ack_late(wm_batcher *b, int connection, const char *last_id, size_t len);
/* A batch was acknowledged on the connection: failures there before count now. */
void wm_batcher_confirm_failures(wm_batcher *b, int connection);

/* -- batcher_queue.c -- */

/* Counts an operation, or takes it away (-1), with what waits for a connection or is held. */
void wm_batcher_count(wm_batcher *b, int connection, const wm_op *op, int sign);
/* Brings the ready ring in line with the partition's state: the one place that decides
 * whether a queue is sent from. */
void wm_batcher_refresh_ready(wm_batcher *b, uint32_t partition);
/* Takes the partition out of its connection's ready ring; it stands there. */
void wm_batcher_leave_ring(wm_batcher *b, uint32_t partition);

/* Appends to the queue of the operation's partition; counted it is already. */
void wm_batcher_queue(wm_batcher *b, uint32_t op);
/* The oldest operation of a queue that may leave on its connection, and the one in front of it,
 * WM_NO_OP when there is none. */
uint32_t wm_batcher_first_ready(const wm_batcher *b, const partition *p, uint32_t *before);
/* Takes such an operation out of the queue. */
void wm_batcher_leave_queue(wm_batcher *b, partition *p, uint32_t op, uint32_t before);
/* Takes the oldest operation out of a connection's line; there is one. */
uint32_t wm_batcher_pop_line(wm_batcher *b, connection *c);
/* Puts an operation that was to leave back into its partition's queue, at its place by seq.
 * What left is older than what waits, so the place is nearly always the front. */
void wm_batcher_put_back(wm_batcher *b, uint32_t op, uint64_t now_us);
/* Moves what stands in the line of a connection that its partition goes by no more. To be called
 * before any look at what waits. */
void wm_batcher_gather_strays(wm_batcher *b);
#endif
