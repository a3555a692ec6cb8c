#ifndef WM_BATCHER_H
#define WM_BATCHER_H
#include "base/buffer.h"
#include "oplog/oplog.h"

/* Puts operations into batches. Each partition has a route: the connection that its operations are
 * sent on, or none, and then they are held. Pending operations wait in the send queue of their
 * connection, in the order of recording. Those that have no route, returned from a batch, or must
 * wait for another operation of their key wait in the retry queue of their partition, which is sent
 * from before the send queue. A batch is cut when the connection can take it, and stays in the
 * connection's in-flight list until it is acknowledged or released. */
typedef struct wm_batcher wm_batcher;

#define WM_NO_CONNECTION (-1)

typedef struct wm_batch_limits {
    uint32_t max_ops;      /* operations in one OP_BATCH */
    uint32_t max_bytes;    /* bytes of one OP_BATCH, at most WM_FRAME_BYTES_MAX */
    uint32_t max_in_flight; /* unacknowledged batches per connection */
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
    void (*acked)(void *user, int connection, const uint32_t *ops, uint32_t count, const wm_batch_times *times);
    /* Operations joined a batch on `connection`. */
    void (*routed)(void *user, int connection, const uint32_t *ops, uint32_t count);
    /* An operation came back unacknowledged and is pending again. */
    void (*returned)(void *user, int connection, uint32_t op);
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
/* Takes every pending operation out of where it waits that `leaves` says true of, and hands it
 * to `taken`, which settles it then or later. One walk over all that is pending, whatever its number. */
void wm_batcher_sift(wm_batcher *b, bool (*leaves)(void *user, uint32_t op), void (*taken)(void *user, uint32_t op),
                     void *user);
/* The oldest pending operation of the connections first .. last (WM_NO_CONNECTION, the lowest: what
 * has no route), WM_NO_OP when none is. */
uint32_t wm_batcher_oldest_pending(wm_batcher *b, int first, int last);

/* Makes connections 0 .. count-1 exist. WM_OK or WM_ENOMEM. */
int wm_batcher_set_connections(wm_batcher *b, uint32_t count);
/* Whether a key with an operation in flight on this connection is in no second batch until the
 * first is acknowledged (v2 servers, which reorder). */
void wm_batcher_set_serial(wm_batcher *b, int connection, bool serial);
/* Where a partition goes now; WM_NO_CONNECTION holds it. */
void wm_batcher_set_route(wm_batcher *b, uint32_t partition, int connection);
int wm_batcher_route(const wm_batcher *b, uint32_t partition);
/* Gives every operation its partition anew, those in flight too: `partition_of` computes
 * it from the key. All routes are none afterwards. WM_OK or WM_ENOMEM (nothing changed). */
int wm_batcher_repartition(wm_batcher *b, uint32_t partitions, uint32_t (*partition_of)(void *user, const char *key, size_t len),
                           void *user);

/* Whether the connection has a batch to send now: something waits that has not been found to have
 * to wait for another operation of its key, the in-flight window is open, and the batch is
 * full or has lingered. */
bool wm_batcher_is_due(wm_batcher *b, int connection, uint64_t now_us);
/* The same, whether it has lingered or not. */
bool wm_batcher_has_due(wm_batcher *b, int connection, uint64_t now_us);
/* When wm_batcher_is_due turns true by lingering alone; UINT64_MAX: never. */
uint64_t wm_batcher_due_at(wm_batcher *b, int connection);
/* Cuts the next batch of the connection and appends its OP_BATCH message to `frame`.
 * The operations are in flight then. Their number; 0 when none may leave or the window is
 * full; WM_ENOMEM (all wait as before). */
int wm_batcher_take(wm_batcher *b, int connection, wm_buffer *frame, uint64_t now_us);
/* The same with smaller limits of its operations and bytes. */
int wm_batcher_take_at_most(wm_batcher *b, int connection, wm_buffer *frame, uint64_t now_us, wm_batch_limits limits);
/* The socket has taken the batches of the connection whole that were cut so far. */
void wm_batcher_written(wm_batcher *b, int connection, uint64_t now_us);

/* Settles the batch on this connection whose last operation has exactly this id. The
 * number of operations acknowledged; 0 when there is no such batch. One that was taken for
 * failed is settled, too, as long as nothing of it was sent again. */
uint32_t wm_batcher_ack(wm_batcher *b, int connection, const char *last_id, size_t len);
/* Settles one operation of an in-flight batch as acknowledged. False when it is in none. */
bool wm_batcher_ack_one(wm_batcher *b, int connection, uint32_t op);
/* Finds an in-flight operation of the connection by its id; WM_NO_OP when there is
 * none. */
uint32_t wm_batcher_find_in_flight(wm_batcher *b, int connection, const char *id, size_t len);
/* Takes one operation out of its in-flight batch, to be settled as rejected. */
bool wm_batcher_remove_in_flight(wm_batcher *b, int connection, uint32_t op);
/* Returns one operation of an in-flight batch to pending. False when it is in none. */
bool wm_batcher_return_in_flight(wm_batcher *b, int connection, uint32_t op, uint64_t now_us);
/* Returns every in-flight batch of the connection to pending, in order. The number of
 * operations. */
uint32_t wm_batcher_release_connection(wm_batcher *b, int connection, uint64_t now_us);
/* Returns the connection's batches whose deadline has passed to pending. */
uint32_t wm_batcher_release_expired(wm_batcher *b, int connection, uint64_t now_us);
/* Brings the deadlines of the connection's batches forward to `at_us` at the latest:
 * after an error that names no operation. */
void wm_batcher_hasten(wm_batcher *b, int connection, uint64_t at_us);
/* The earliest deadline on the connection, UINT64_MAX when nothing is in flight. */
uint64_t wm_batcher_deadline(const wm_batcher *b, int connection);

/* -- poison messages ------------------------------------------------------------------
 *
 * A poison message is an operation over which a server refuses, or never answers, the batch
 * that it is in, or ends the connection. What servers say names a batch at best, so it has
 * to be looked for: the operations of a batch that failed are set aside as a group, and tried
 * again apart from the others. What a trial acknowledges is settled; one that fails is
 * halved, until the operation stands alone. A connection has one trial in flight at a time.
 *
 *   - An unanswered batch is told from others by its id, so other batches flow beside its
 *     trial. What the two other faults are about is known only while nothing else is in
 *     flight: such a trial waits until all is answered and leaves alone, and after it one
 *     batch of what else waits has a turn.
 *   - A failure counts once the node acknowledged something that was sent after it: then it
 *     is about the operation and not about the server. Three that count make an operation
 *     poison; the client rejects it (wm_batcher_next_poison). Without such a proof a group
 *     is halved while there are few groups, and an operation alone is tried for ever, at
 *     longer and longer intervals. So a server that refuses everything, or is away, takes
 *     nothing from the log.
 *   - An operation that is set aside holds up only those of its key, which follow it. It
 *     stays there when its connection ends for another reason, and is tried where its
 *     partition goes then: it moves with its route as any other.
 *
 * The other design was to make the batches of the whole connection small, as long as one of them
 * failed: it needs no groups, but one operation makes everything slow that goes to the node,
 * a second one ends the search for the first, and a new route forgets it.
 */

typedef enum wm_batch_fault {
    WM_FAULT_UNANSWERED, /* later batches were answered, this one is not */
    WM_FAULT_REFUSED,    /* by an error in place of its acknowledgement */
    WM_FAULT_UNREADABLE, /* the server said so, and ended the connection */
    WM_FAULT_CUT,        /* the connection ended without a word */
} wm_batch_fault;

/* Failures of an operation alone that count, after which it is poison. */
#define WM_POISON_PROOFS 3u

/* Nothing leaves on the connection until it is opened again, or ends. */
void wm_batcher_close_window(wm_batcher *b, int connection, bool closed);
/* Batches of the connection past their deadline that were cut before `before_us` are unanswered:
 * something that was sent after them has been answered. The number of operations set aside;
 * `was_trial` says whether all of them had been before. */
uint32_t wm_batcher_fail_overdue(wm_batcher *b, int connection, uint64_t before_us, uint64_t now_us, bool *was_trial);
/* The connection's batches in flight failed with one of the other faults. With `tries` only those
 * of which an operation came back so often before; the others stay in flight. `proofs`: how
 * often the failure counts at once for an operation that stood alone; 0: once something else
 * was acknowledged. */
void wm_batcher_fail_all(wm_batcher *b, int connection, wm_batch_fault fault, uint8_t tries, uint8_t proofs, uint64_t now_us);

/* What a server refuses, in its own words. */
typedef struct wm_batch_refusal {
    bool (*is_refused)(void *user, const wm_op *op); /* it is among what the words are about */
    void *user;
    bool all;       /* the words are about each of them; else about one at least */
    uint32_t count; /* how often they came, each time about one batch */
} wm_batch_refusal;
/* Of the connection's batches that hold one of these operations they are set aside, as poison when
 * there is nothing to search; the rest of such a batch is pending again. Batches found. */
uint32_t wm_batcher_refuse(wm_batcher *b, int connection, const wm_batch_refusal *refusal, uint64_t now_us);

typedef struct wm_poison {
    uint32_t op;
    int connection; /* where it failed last */
    wm_batch_fault fault;
} wm_poison;
/* An operation that was found to be poison; false when there is none. To be settled by the
 * caller: wm_batcher_remove_aside, wm_batcher_settle. */
bool wm_batcher_next_poison(const wm_batcher *b, wm_poison *out);
/* Takes an operation out of what is set aside. False when it is not there. */
bool wm_batcher_remove_aside(wm_batcher *b, uint32_t op);
/* Operations that are set aside. */
uint32_t wm_batcher_aside(const wm_batcher *b);
/* When the trial on the connection was cut; 0: none is in flight. */
uint64_t wm_batcher_trial_cut_us(const wm_batcher *b, int connection);
/* Whether all that is in flight on the connection is a trial that leaves alone: an error is about
 * it then. */
bool wm_batcher_tries_alone(const wm_batcher *b, int connection);

/* The batch on the connection that is overdue longest: when it was cut; 0: none is. */
uint64_t wm_batcher_overdue_since(const wm_batcher *b, int connection, uint64_t now_us);
/* Gives the overdue batches of the connection as long again. The number of their operations. */
uint32_t wm_batcher_extend_overdue(wm_batcher *b, int connection, uint64_t now_us);
/* When the newest batch was cut that was acknowledged on the connection; 0: none was. */
uint64_t wm_batcher_acked_cut_us(const wm_batcher *b, int connection);

typedef struct wm_connection_load {
    uint32_t pending_ops;
    size_t pending_bytes;
    uint32_t in_flight_batches;
    uint32_t in_flight_ops;
    size_t in_flight_bytes;
    uint64_t oldest_sent_us; /* of the oldest unacknowledged batch; 0: none is in flight */
} wm_connection_load;
wm_connection_load wm_batcher_load(wm_batcher *b, int connection);
/* Operations in flight on all connections together, and their bytes. */
uint32_t wm_batcher_in_flight(const wm_batcher *b, size_t *bytes);
/* Operations that are in flight or set aside, and their bytes: those that
 * wm_batcher_oldest_pending never gives. */
uint32_t wm_batcher_undroppable(const wm_batcher *b, size_t *bytes);
/* Whether operations with a seq up to `seq` are not settled in one of the partitions
 * that `chosen` (a flag for each) names. Looks at the front of every queue, at the
 * lines as far as that seq, and at what is in flight, until it finds one. */
bool wm_batcher_has_backlog(const wm_batcher *b, const bool *chosen, uint64_t seq);
/* Pending operations of partitions without a route, and their bytes. */
uint32_t wm_batcher_held(wm_batcher *b);
size_t wm_batcher_held_bytes(wm_batcher *b);
/* Calls `held` for each of them with a seq above `after`, at most WM_NEWLY_HELD_MAX times, once
 * an operation; one that an earlier call reported may be skipped. Costs a look at each operation
 * that is held since the last call, and a walk over all held ones when partitions lost their route. */
void wm_batcher_newly_held(wm_batcher *b, uint64_t after, void (*held)(void *user, const wm_op *op), void *user);
#define WM_NEWLY_HELD_MAX 1000u
#endif
