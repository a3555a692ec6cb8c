#ifndef WM_BATCHER_H
#define WM_BATCHER_H
#include "buffer.h"
#include "oplog.h"

/* What leaves together. A partition points at the lane where it goes now (a lane is one
 * connection to one node), or at none and is held. Pending operations stand in the line of
 * their lane, in the order of recording; what cannot, because it has no route, or came back,
 * or must wait for another operation of its key, waits in the queue of its partition and
 * goes before the line. A batch is cut at the moment the connection can take it, and stays
 * in the lane's in-flight list until it is acknowledged or given back. */
typedef struct wm_batcher wm_batcher;

#define WM_LANE_NONE (-1)

typedef struct wm_batch_limits {
    uint32_t max_ops;      /* operations in one OP_BATCH */
    uint32_t max_bytes;    /* bytes of one OP_BATCH, at most WM_FRAME_BYTES_MAX */
    uint32_t max_in_flight; /* unacknowledged batches per lane */
    uint64_t linger_us;    /* how long a batch may wait for company; 0: end of tick */
    uint64_t ack_timeout_us;
} wm_batch_limits;

/* No message above this leaves: one over 64 MiB ends a 0.11 server process, the
 * v2 server takes 2 MiB, and small ones are good for latency. */
#define WM_FRAME_BYTES_MAX (1024u * 1024u)

/* When a batch was cut, and when the socket had taken its last byte. */
typedef struct wm_batch_times {
    uint64_t cut_us;
    uint64_t written_us;
} wm_batch_times;

/* What happened to an operation, for whoever keeps the books. */
typedef struct wm_batcher_hooks {
    void *user;
    /* Just before acknowledged operations leave the log; WM_NO_OP among them stands for
     * one that had left the batch before. */
    void (*acked)(void *user, int lane, const uint32_t *ops, uint32_t count, const wm_batch_times *times);
    /* Operations joined a batch on `lane`. */
    void (*routed)(void *user, int lane, const uint32_t *ops, uint32_t count);
    /* An operation came back unacknowledged and is pending again. */
    void (*returned)(void *user, int lane, uint32_t op);
    /* Just before an operation is settled that follows another one and that none is known to
     * follow: what is written next to its key has to follow the other one. */
    void (*leaves_first)(void *user, uint32_t op);
} wm_batcher_hooks;

/* `log` is borrowed. NULL when out of memory. */
wm_batcher *wm_batcher_new(wm_oplog *log, uint32_t partitions, wm_batch_limits limits, wm_batcher_hooks hooks);
void wm_batcher_free(wm_batcher *b);

/* An operation with its partition, newer than all that were added before, waits from now on.
 * What it must follow is to be known (wm_oplog_follow) before the next batch is cut. */
void wm_batcher_add(wm_batcher *b, uint32_t op, uint64_t now_us);
/* Settles an operation that is in no batch and waits nowhere: one that was taken out. */
void wm_batcher_settle(wm_batcher *b, uint32_t op);
/* Takes a pending operation out of where it waits, to be dropped. False when it is
 * not there. */
bool wm_batcher_remove_pending(wm_batcher *b, uint32_t op);
/* The oldest pending operation of the lanes first .. last (WM_LANE_NONE, the lowest: what
 * has no route), WM_NO_OP when none is. */
uint32_t wm_batcher_oldest_pending(wm_batcher *b, int first, int last);

/* Makes lanes 0 .. count-1 exist. WM_OK or WM_ENOMEM. */
int wm_batcher_set_lanes(wm_batcher *b, uint32_t count);
/* Whether a key with an operation in flight on this lane is in no second batch until the
 * first is acknowledged (v2 servers, which reorder). */
void wm_batcher_set_serial(wm_batcher *b, int lane, bool serial);
/* Where a partition goes now; WM_LANE_NONE holds it. */
void wm_batcher_set_route(wm_batcher *b, uint32_t partition, int lane);
int wm_batcher_route(const wm_batcher *b, uint32_t partition);
/* Gives every operation its partition anew, those in flight too: `partition_of` computes
 * it from the key. All routes are none afterwards. WM_OK or WM_ENOMEM (nothing changed). */
int wm_batcher_repartition(wm_batcher *b, uint32_t partitions, uint32_t (*partition_of)(void *user, const char *key, size_t len),
                           void *user);

/* Whether the lane has a batch to send now: something waits that has not been found to have
 * to wait for another operation of its key, the in-flight window is open, and the batch is
 * full or has lingered. */
bool wm_batcher_is_due(wm_batcher *b, int lane, uint64_t now_us);
/* When wm_batcher_is_due turns true by lingering alone; UINT64_MAX: never. */
uint64_t wm_batcher_due_at(wm_batcher *b, int lane);
/* Cuts the next batch of the lane and appends its OP_BATCH message to `frame`.
 * The operations are in flight then. Their number; 0 when none may leave or the window is
 * full; WM_ENOMEM (all wait as before). */
int wm_batcher_take(wm_batcher *b, int lane, wm_buffer *frame, uint64_t now_us);
/* The same with smaller limits of its operations and bytes. */
int wm_batcher_take_at_most(wm_batcher *b, int lane, wm_buffer *frame, uint64_t now_us, wm_batch_limits limits);
/* The socket has taken the batches of the lane whole that were cut so far. */
void wm_batcher_written(wm_batcher *b, int lane, uint64_t now_us);

/* Settles the batch on this lane whose last operation has exactly this id. The
 * number of operations acknowledged; 0 when there is no such batch. */
uint32_t wm_batcher_ack(wm_batcher *b, int lane, const char *last_id, size_t len);
/* Settles one operation of an in-flight batch as acknowledged. False when it is in none. */
bool wm_batcher_ack_one(wm_batcher *b, int lane, uint32_t op);
/* Finds an in-flight operation of the lane by its id; WM_NO_OP when there is
 * none. */
uint32_t wm_batcher_find_in_flight(wm_batcher *b, int lane, const char *id, size_t len);
/* Takes one operation out of its in-flight batch, to be settled as rejected. */
bool wm_batcher_remove_in_flight(wm_batcher *b, int lane, uint32_t op);
/* Returns one operation of an in-flight batch to pending. False when it is in none. */
bool wm_batcher_return_in_flight(wm_batcher *b, int lane, uint32_t op, uint64_t now_us);
/* Returns every in-flight batch of the lane to pending, in order. The number of
 * operations. */
uint32_t wm_batcher_release_lane(wm_batcher *b, int lane, uint64_t now_us);
/* Returns the lane's batches whose deadline has passed to pending. */
uint32_t wm_batcher_release_expired(wm_batcher *b, int lane, uint64_t now_us);
/* Brings the deadlines of the lane's batches forward to `at_us` at the latest:
 * after an error that names no operation. */
void wm_batcher_hasten(wm_batcher *b, int lane, uint64_t at_us);
/* Batches of the lane hold at most `ops` operations and leave one at a time, until a
 * thousand of them were acknowledged: for finding an operation that breaks off the
 * connection. 0: as the limits say. */
void wm_batcher_narrow(wm_batcher *b, int lane, uint32_t ops);
/* The operation that is in flight on the lane when it is the only one, else WM_NO_OP. */
uint32_t wm_batcher_sole_in_flight(const wm_batcher *b, int lane);
/* The earliest deadline on the lane, UINT64_MAX when nothing is in flight. */
uint64_t wm_batcher_deadline(const wm_batcher *b, int lane);

typedef struct wm_lane_load {
    uint32_t pending_ops;
    size_t pending_bytes;
    uint32_t in_flight_batches;
    uint32_t in_flight_ops;
    size_t in_flight_bytes;
    uint64_t oldest_sent_us; /* of the oldest unacknowledged batch; 0: none is in flight */
} wm_lane_load;
wm_lane_load wm_batcher_load(wm_batcher *b, int lane);
/* Operations in flight on all lanes together, and their bytes. */
uint32_t wm_batcher_in_flight(const wm_batcher *b, size_t *bytes);
/* Whether operations with a seq up to `seq` are not settled in one of the partitions
 * that `chosen` (a flag for each) names. Looks at the front of every queue, at the
 * lines as far as that seq, and at what is in flight, until it finds one. */
bool wm_batcher_has_backlog(const wm_batcher *b, const bool *chosen, uint64_t seq);
/* Pending operations of partitions without a route, and their bytes. */
uint32_t wm_batcher_held(wm_batcher *b);
size_t wm_batcher_held_bytes(wm_batcher *b);
/* Those among them with a seq above `after`, WM_NEWLY_HELD_MAX at most, each once; one that
 * was told of before may be left out. Costs a look at each operation that came to be held
 * since the last call, and a walk over all that are held when partitions lost their route. */
void wm_batcher_newly_held(wm_batcher *b, uint64_t after, void (*held)(void *user, const wm_op *op), void *user);
#define WM_NEWLY_HELD_MAX 1000u
#endif
