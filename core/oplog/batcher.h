#ifndef WM_BATCHER_H
#define WM_BATCHER_H
#include "base/buffer.h"
#include "cluster/route_table.h"
#include "oplog/oplog.h"

/* Puts operations into batches. Each partition has a route: the connection that its operations are
 * sent on, or none, and then they are held. Pending operations wait in the send queue of their
 * connection, in the order of recording. Those that have no route, returned from a batch, or must
 * wait for another operation of their key wait in the retry queue of their partition, which is sent
 * from before the send queue. A batch is cut when the connection can take it, and stays in the
 * connection's in-flight list until it is acknowledged or released. */
typedef struct wm_batcher wm_batcher;

typedef struct wm_batch_limits {
    uint32_t max_ops;        /* operations in one OP_BATCH */
    uint32_t max_bytes;      /* bytes of one OP_BATCH, at most WM_FRAME_BYTES_MAX; a larger operation is sent alone */
    uint32_t max_in_flight;  /* unacknowledged batches per connection */
    uint64_t linger_us;      /* how long a batch that is not full waits for more operations; 0: until the end of the tick */
    uint64_t ack_timeout_us; /* from the cut to the deadline */
} wm_batch_limits;

/* The largest OP_BATCH message. A v2 server takes 2 MiB; a message over 64 MiB ends a 0.11 server
 * process; and small batches are better for latency. */
#define WM_FRAME_BYTES_MAX (1024u * 1024u)

/* When a batch was cut, and when the socket had accepted its last byte. */
typedef struct wm_batch_times {
    uint64_t cut_us;
    uint64_t written_us;
} wm_batch_times;

/* What the batcher reports to its owner. The arrays are valid during the call. */
typedef struct wm_batcher_hooks {
    void *user;
    /* Called just before acknowledged operations leave the log. WM_NO_OP stands for an operation
     * that had left the batch before. */
    void (*acked)(void *user, int connection, const uint32_t *ops, uint32_t count, const wm_batch_times *times);
    /* Operations joined a batch on `connection`. */
    void (*routed)(void *user, int connection, const uint32_t *ops, uint32_t count);
    /* An operation returned unacknowledged: it is pending again, or set aside. */
    void (*returned)(void *user, int connection, uint32_t op);
    /* The newest known operation of a key is about to be settled before an older one, which it
     * follows. The next operation of the key has to follow that older one. */
    void (*settles_out_of_order)(void *user, uint32_t op);
} wm_batcher_hooks;

/* `log` and `routes` are borrowed. Of a route the batcher uses `connection` only, which
 * wm_batcher_set_route writes. NULL when out of memory. */
wm_batcher *wm_batcher_new(wm_oplog *log, wm_route_table *routes, wm_batch_limits limits, wm_batcher_hooks hooks);
void wm_batcher_free(wm_batcher *b);

/* Adds a pending operation, which has its partition and is newer than all that were added before.
 * Call wm_oplog_follow, if it follows another one, before the next batch is cut. */
void wm_batcher_add(wm_batcher *b, uint32_t op, uint64_t now_us);
/* Settles an operation that was removed from its queue or batch. */
void wm_batcher_settle(wm_batcher *b, uint32_t op);
/* Removes a pending operation from its queue, to be dropped. False when it is in none. */
bool wm_batcher_remove_pending(wm_batcher *b, uint32_t op);
/* Removes each pending operation for which `leaves` returns true from its queue, and passes it to
 * `taken`, which settles it then or later. Walks once over all pending operations. */
void wm_batcher_sift(wm_batcher *b, bool (*leaves)(void *user, uint32_t op), void (*taken)(void *user, uint32_t op),
                     void *user);
/* The oldest pending operation of the connections first .. last; WM_NO_OP when there is none. From
 * WM_NO_CONNECTION, the lowest number, held operations count, too. */
uint32_t wm_batcher_oldest_pending(wm_batcher *b, int first, int last);

/* Makes connections 0 .. count-1 exist. WM_OK or WM_ENOMEM. */
int wm_batcher_set_connections(wm_batcher *b, uint32_t count);
/* Makes a connection serial: while an operation of a key is in flight, no other batch has one of
 * that key. For v2 servers, which reorder batches. */
void wm_batcher_set_serial(wm_batcher *b, int connection, bool serial);
/* Sets what is sent on a connection at once: at most `ops` operations in flight, in batches of at most
 * `batch_ops`, within the limits of all connections. While nothing is in flight a batch may be sent,
 * however small the window is. UINT32_MAX, which connections begin with: no limit. */
void wm_batcher_set_window(wm_batcher *b, int connection, uint32_t batch_ops, uint32_t ops);
/* Routes a partition to a connection, in the route table, too; with WM_NO_CONNECTION its operations are
 * held. Does nothing when that is its route already. */
void wm_batcher_set_route(wm_batcher *b, uint32_t partition, int connection);
/* To be called when a new route table, without a route, is in the place of the former one. Assigns every
 * operation, also those in flight, to its partition again: `partition_of` computes it from the key.
 * WM_OK; WM_ENOMEM: nothing changed, and the former table has to be put back. */
int wm_batcher_repartition(wm_batcher *b, uint32_t (*partition_of)(void *user, const char *key, size_t len), void *user);

/* Whether the connection has a batch to send now: a trial is due, or an operation is pending that is not
 * known to wait for another one of its key, the window and max_in_flight allow it, and the batch is full
 * or linger_us has passed. */
bool wm_batcher_is_due(wm_batcher *b, int connection, uint64_t now_us);
/* The same without regard to linger_us. */
bool wm_batcher_has_due(wm_batcher *b, int connection, uint64_t now_us);
/* When wm_batcher_is_due turns true because linger_us has passed; UINT64_MAX: never. */
uint64_t wm_batcher_due_at(wm_batcher *b, int connection);
/* Cuts the next batch of the connection and appends its OP_BATCH message to `frame`; its operations
 * are in flight then. Returns their number; 0 when none may be sent now; or WM_ENOMEM: nothing
 * changed. */
int wm_batcher_take(wm_batcher *b, int connection, wm_buffer *frame, uint64_t now_us);
/* The same with smaller limits for its operations and bytes. */
int wm_batcher_take_at_most(wm_batcher *b, int connection, wm_buffer *frame, uint64_t now_us, wm_batch_limits limits);
/* Notes that the socket has accepted all batches of the connection that were cut so far. */
void wm_batcher_written(wm_batcher *b, int connection, uint64_t now_us);

/* Settles the batch on this connection whose last operation has exactly this id. Returns the number
 * of operations that were acknowledged; 0 when there is no such batch. A batch that was set aside
 * is settled, too, as long as none of its operations was sent again. */
uint32_t wm_batcher_ack(wm_batcher *b, int connection, const char *last_id, size_t len);
/* Settles one operation of an in-flight batch as acknowledged. False when it is in no batch. */
bool wm_batcher_ack_one(wm_batcher *b, int connection, uint32_t op);
/* The in-flight operation of the connection that has this id; WM_NO_OP when there is none. */
uint32_t wm_batcher_find_in_flight(wm_batcher *b, int connection, const char *id, size_t len);
/* Removes one operation from its in-flight batch, to be settled as rejected. False when it is in no
 * batch. */
bool wm_batcher_remove_in_flight(wm_batcher *b, int connection, uint32_t op);
/* Makes one operation of an in-flight batch pending again. False when it is in no batch. */
bool wm_batcher_return_in_flight(wm_batcher *b, int connection, uint32_t op, uint64_t now_us);
/* Makes the operations of all in-flight batches of the connection pending again, in order; those of a
 * trial are set aside again. Returns their number. Opens the send window. */
uint32_t wm_batcher_release_connection(wm_batcher *b, int connection, uint64_t now_us);
/* The same for the batches whose deadline has passed. */
uint32_t wm_batcher_release_expired(wm_batcher *b, int connection, uint64_t now_us);
/* Makes the deadlines of the connection's batches `at_us` at the latest. For an error that names no
 * operation. */
void wm_batcher_hasten(wm_batcher *b, int connection, uint64_t at_us);

/* -- poison messages ------------------------------------------------------------------
 *
 * A poison message is an operation for which a server refuses its batch, never answers it, or ends
 * the connection. A server names the batch at best, never the operation, so the batcher bisects: it
 * sets the operations of a failed batch aside as a group and sends them again as a trial, apart from
 * the others. Acknowledged trials are settled; a group that fails is halved, until the poison message
 * stands alone. A connection has one trial in flight at a time.
 *
 *   - The trial of an unanswered batch is sent while other batches are in flight: acknowledgements
 *     name their batch by an id. Errors and the end of a connection do not. So the trial of a batch
 *     that failed in one of these ways waits until nothing is in flight, and is sent alone; one batch
 *     of other operations is sent after it, before the next such trial.
 *   - A failure counts once the node has acknowledged something that was sent later: then the fault
 *     lies with the operation and not with the server. After WM_POISON_PROOFS failures that count, the
 *     operation is poison and the client rejects it (wm_batcher_next_poison). While no failure
 *     counts, groups are halved only as long as there are few of them, and a single operation is
 *     tried forever, at growing intervals. So a server that is away, or refuses everything, causes
 *     no rejection.
 *   - An operation that is set aside delays only later operations of its key. It stays set aside when
 *     its connection ends for another reason, and follows the route of its partition.
 *
 * An alternative was to make all batches of a connection smaller while one of them fails. It needs
 * no groups, but one poison message slows down the whole node, a second one ends the search for the
 * first, and a new route ends it, too.
 */

typedef enum wm_batch_fault {
    WM_FAULT_UNANSWERED, /* later batches were acknowledged, this one was not */
    WM_FAULT_REFUSED,    /* the server sent an error in place of the acknowledgement */
    WM_FAULT_UNREADABLE, /* the server closed the connection with a code that says so */
    WM_FAULT_CUT,        /* the connection ended without a close code */
} wm_batch_fault;

/* After this many failures that count, an operation that was sent alone is poison. */
#define WM_POISON_PROOFS 3u

/* Closes or opens the send window: while it is closed, nothing is sent on the connection. The end of the
 * connection opens it. */
void wm_batcher_close_window(wm_batcher *b, int connection, bool closed);
/* Sets aside the operations of unanswered batches: those that are past their deadline and were cut before
 * `before_us`, the time at which something was sent that the node has acknowledged. Returns the number
 * of operations. Sets *was_trial to whether all of these batches were trials. */
uint32_t wm_batcher_fail_overdue(wm_batcher *b, int connection, uint64_t before_us, uint64_t now_us, bool *was_trial);
/* Sets aside the operations of the connection's in-flight batches, which failed with another fault than
 * WM_FAULT_UNANSWERED. `tries` 0: of all batches. Above 0: of a batch only if one of its operations
 * returned at least that often, and of a trial only if it is in flight alone. `proofs`: how many
 * failures are counted now for an operation that was tried alone; 0: one, as soon as something that was
 * sent later is acknowledged. */
void wm_batcher_fail_all(wm_batcher *b, int connection, wm_batch_fault fault, uint8_t tries, uint8_t proofs, uint64_t now_us);

/* What the error messages of a server say about operations. */
typedef struct wm_batch_refusal {
    bool (*is_refused)(void *user, const wm_op *op); /* the errors may be about this operation */
    void *user;
    bool all;       /* they are about each of those; else about at least one of them */
    uint32_t count; /* number of errors; each is about one batch */
} wm_batch_refusal;
/* Sets aside the operations of in-flight batches that may be refused, as poison where it is known which
 * one is; the other operations of such a batch are pending again. Returns the number of such batches. */
uint32_t wm_batcher_refuse(wm_batcher *b, int connection, const wm_batch_refusal *refusal, uint64_t now_us);

typedef struct wm_poison {
    uint32_t op;
    int connection; /* where it failed last */
    wm_batch_fault fault;
} wm_poison;
/* The next operation that was found to be poison; false when there is none. The caller settles it with
 * wm_batcher_remove_aside and wm_batcher_settle. */
bool wm_batcher_next_poison(const wm_batcher *b, wm_poison *out);
/* Removes an operation from its group. False when it is not set aside. */
bool wm_batcher_remove_aside(wm_batcher *b, uint32_t op);
/* The number of operations that are set aside. */
uint32_t wm_batcher_aside(const wm_batcher *b);
/* When the trial on the connection was cut; 0: none is in flight. */
uint64_t wm_batcher_trial_cut_us(const wm_batcher *b, int connection);
/* Whether a trial that is sent alone is in flight: an error is about it then. */
bool wm_batcher_tries_alone(const wm_batcher *b, int connection);

/* When the oldest batch past its deadline was cut; 0: none is past it. */
uint64_t wm_batcher_overdue_since(const wm_batcher *b, int connection, uint64_t now_us);
/* Gives batches past their deadline another ack_timeout_us. Returns the number of their operations. */
uint32_t wm_batcher_extend_overdue(wm_batcher *b, int connection, uint64_t now_us);
/* When the newest acknowledged batch of the connection was cut; 0: none was acknowledged. */
uint64_t wm_batcher_acked_cut_us(const wm_batcher *b, int connection);

typedef struct wm_connection_load {
    uint32_t pending_ops;
    size_t pending_bytes;
    uint32_t in_flight_batches;
    uint32_t in_flight_ops;
    size_t in_flight_bytes;
    uint64_t oldest_sent_us; /* of the oldest unacknowledged batch; 0: none is in flight */
} wm_connection_load;
/* What waits and what is in flight on a connection now. */
wm_connection_load wm_batcher_load(wm_batcher *b, int connection);
/* The number of operations in flight on all connections; `bytes`: their bytes. */
uint32_t wm_batcher_in_flight(const wm_batcher *b, size_t *bytes);
/* The number of operations that are in flight or set aside, which wm_batcher_oldest_pending never
 * returns; `bytes`: their bytes. */
uint32_t wm_batcher_undroppable(const wm_batcher *b, size_t *bytes);
/* Whether an operation with a seq up to `seq` is unsettled in one of the partitions whose flag in
 * `chosen` is set. Looks at the front of each retry queue, at the send queues as far as that seq, and
 * at what is in flight or set aside, until it finds one. */
bool wm_batcher_has_backlog(const wm_batcher *b, const bool *chosen, uint64_t seq);
/* The number of held operations, and their bytes. */
uint32_t wm_batcher_held(wm_batcher *b);
size_t wm_batcher_held_bytes(wm_batcher *b);
/* Calls `held` once for each held operation with a seq above `after`, at most WM_NEWLY_HELD_MAX times;
 * an operation that an earlier call reported may be skipped. Reads each operation that is held since
 * the last call, or all held operations when partitions lost their route since then. */
void wm_batcher_newly_held(wm_batcher *b, uint64_t after, void (*held)(void *user, const wm_op *op), void *user);
#define WM_NEWLY_HELD_MAX 1000u
#endif
