/* Batches: cutting, acknowledging, releasing. */
#include "oplog/batcher_state.h"

#include <string.h>

#include "base/compiler.h"
#include "base/status.h"

/* -- cutting a batch --------------------------------------------------------------- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How many operations the next batch may have; 0: none may be sent now. Where the window has little room
 * left, a batch waits for more, so that there are few small ones. */
static uint32_t room_of(const wm_batcher *b, const connection *c)
{
    if (c->in_flight_batches >= b->limits.max_in_flight || c->is_closed) return 0;
    uint32_t most = least(least(b->limits.max_ops, c->batch_ops), c->window > 0 ? c->window : 1);
    if (c->in_flight_batches == 0) return most;
    uint32_t left = c->window > c->in_flight_ops ? c->window - c->in_flight_ops : 0;
    return left >= c->pending_ops || left > most / 2 ? least(left, most) : 0;
}

uint64_t wm_batcher_due_at(wm_batcher *b, int id)
{
    wm_batcher_move_rerouted(b);
    const connection *c = &b->connections[id];
    if (c->ready == NO_PARTITION && c->send_head == WM_NO_OP) return UINT64_MAX;
    uint32_t room = room_of(b, c);
    if (room == 0) return UINT64_MAX;
    bool full = c->pending_ops >= room || c->pending_bytes >= b->limits.max_bytes;
    return full ? 0 : c->waiting_since_us + b->limits.linger_us;
}

/* `by_us`: linger_us has passed for operations that were pending then. */
static bool is_due_by(wm_batcher *b, int id, uint64_t now_us, uint64_t by_us)
{
    wm_trial_state trial = b->groups > 0 ? wm_batcher_trial_state(b, id, now_us) : WM_TRIAL_NONE;
    return trial == WM_TRIAL_NONE ? wm_batcher_due_at(b, id) <= by_us : trial == WM_TRIAL_DUE;
}

bool wm_batcher_is_due(wm_batcher *b, int id, uint64_t now_us)
{
    return is_due_by(b, id, now_us, now_us);
}

bool wm_batcher_has_due(wm_batcher *b, int id, uint64_t now_us)
{
    return is_due_by(b, id, now_us, UINT64_MAX - 1); /* UINT64_MAX: nothing is pending */
}

/* How many operations ahead are prefetched: those that were pending for a while are no longer in the
 * processor's caches. */
#define PREFETCH_OPS 16u

static uint32_t prefetch_ops(wm_batcher *b, uint32_t at, uint32_t count)
{
    for (; count > 0 && at != WM_NO_OP; count--) {
        __builtin_prefetch(wm_oplog_at(b->log, at), 1);
        at = *wm_oplog_next(b->log, at);
    }
    return at;
}

static void prefetch_bytes(const wm_op *op)
{
    __builtin_prefetch(op->span.bytes);
    __builtin_prefetch(op->span.bytes + 64);
}

/* Adds an operation that was removed from its queue. */
static void join(batch *t, uint32_t index, wm_op *op)
{
    prefetch_bytes(op);
    op->state = WM_OP_JOINING;
    t->ops[t->count++] = index;
}

/* The size of the batch under construction, and its limits. */
typedef struct budget {
    size_t bytes;
    uint32_t max_ops;
    uint32_t max_bytes; /* a single operation may be larger */
} budget;

/* The first operation always fits: its size was checked when it was recorded. */
static bool fits(const budget *r, const batch *t, const wm_op *op)
{
    return t->count < r->max_ops && (t->count == 0 || r->bytes + op->len <= r->max_bytes);
}

/* A server splits a batch by partition, and works on the parts apart: few large ones cost it less than
 * many small ones. So many operations of one partition follow each other in a batch, if there are as many:
 * enough for that, and few enough for a batch to have work for several of its workers. */
#define PART_OPS 16u

/* From the retry queues of ready partitions, whose operations are older than those in the send queue. */
static void choose_from_retry_queues(wm_batcher *b, connection *c, batch *t, budget *r)
{
    bool full = false;
    while (c->ready != NO_PARTITION && !full) {
        uint32_t pid = c->ready;
        partition *p = &b->partitions[pid];
        uint32_t count = t->count, index, before, left = c->serial ? PART_OPS : UINT32_MAX;
        prefetch_ops(b, b->partitions[p->ready_next].head, PREFETCH_OPS);
        while (left-- > 0 && (index = wm_batcher_first_ready(b, c, p, &before)) != WM_NO_OP) {
            wm_op *op = wm_oplog_at(b->log, index);
            full = !fits(r, t, op);
            if (full) break;
            r->bytes += op->len;
            wm_batcher_leave_retry_queue(b, p, index, before);
            join(t, index, op);
        }
        if (t->count > count) c->ready = p->ready_next; /* the next batch begins elsewhere */
        wm_batcher_refresh_ready(b, pid);
    }
}

/* After this many operations that have to wait, a batch is sent as it is. */
#define POSTPONED_MAX 4096u

/* From the send queue, in order. Operations that may not be sent now go to the retry queue of their
 * partition, and later ones of their key follow them there. */
static void choose_from_send_queue(wm_batcher *b, int id, batch *t, budget *r)
{
    connection *c = &b->connections[id];
    uint32_t postponed = 0;
    uint32_t ahead = prefetch_ops(b, c->send_head, PREFETCH_OPS);
    while (c->send_head != WM_NO_OP && postponed < POSTPONED_MAX) {
        wm_op *op = wm_oplog_at(b->log, c->send_head);
        ahead = prefetch_ops(b, ahead, 1);
        if (!wm_batcher_may_join(b, c, c->send_head)) {
            wm_batcher_queue_retry(b, wm_batcher_pop_send_queue(b, c));
            postponed++;
            continue;
        }
        if (!fits(r, t, op)) return;
        r->bytes += op->len;
        wm_batcher_count(b, id, op, -1);
        join(t, wm_batcher_pop_send_queue(b, c), op);
    }
}

/* Of more operations than a batch takes: the oldest in the send queue, so many times a batch, go to the
 * retry queues of their partitions, so that batches can be made of whole parts. */
#define SORTED_BATCHES 2u
/* A server with a larger window is faster than this is worth. */
#define SORTED_WINDOW 4096u

static void sort_by_partition(wm_batcher *b, connection *c, uint32_t max_ops)
{
    uint32_t ahead = prefetch_ops(b, c->send_head, PREFETCH_OPS);
    for (uint32_t left = max_ops * SORTED_BATCHES; left > 0 && c->send_head != WM_NO_OP; left--) {
        ahead = prefetch_ops(b, ahead, 1);
        wm_batcher_queue_retry(b, wm_batcher_pop_send_queue(b, c));
    }
}

/* Makes the operations of a batch that is not sent pending again. */
static void undo(wm_batcher *b, batch *t, uint64_t now_us)
{
    for (uint32_t i = t->count; i-- > 0;) wm_batcher_put_back(b, t->ops[i], now_us);
    wm_batcher_keep_spare(b, t);
}

WM_HOT_PATH int wm_batcher_take_at_most(wm_batcher *b, int id, wm_buffer *frame, uint64_t now_us,
                                        wm_batch_limits limits)
{
    wm_batcher_move_rerouted(b);
    connection *c = &b->connections[id];
    wm_trial_state trial = b->groups > 0 ? wm_batcher_trial_state(b, id, now_us) : WM_TRIAL_NONE;
    int tried = trial == WM_TRIAL_DUE ? wm_batcher_take_trial(b, id, frame, now_us) : 0;
    if (trial == WM_TRIAL_ALONE || tried != 0) return tried;
    uint32_t max_ops = least(limits.max_ops, room_of(b, c));
    if (max_ops == 0) return 0;
    budget r = {.max_ops = least(c->pending_ops, max_ops),
                .max_bytes = limits.max_bytes < b->limits.max_bytes ? limits.max_bytes : b->limits.max_bytes};
    batch *t = wm_batcher_new_batch(b, r.max_ops);
    if (t == NULL) return WM_ENOMEM;
    c->others_first = false;
    if (c->serial && c->window <= SORTED_WINDOW && c->pending_ops > max_ops) sort_by_partition(b, c, max_ops);
    choose_from_retry_queues(b, c, t, &r);
    choose_from_send_queue(b, id, t, &r);
    if (t->count == 0) {
        wm_batcher_keep_spare(b, t);
        return 0;
    }
    if (!wm_batcher_send(b, id, t, r.bytes, frame, now_us)) {
        undo(b, t, now_us);
        return WM_ENOMEM;
    }
    c->waiting_since_us = now_us;
    return (int)t->count;
}

int wm_batcher_take(wm_batcher *b, int id, wm_buffer *frame, uint64_t now_us)
{
    return wm_batcher_take_at_most(b, id, frame, now_us, b->limits);
}

void wm_batcher_written(wm_batcher *b, int id, uint64_t now_us)
{
    connection *c = &b->connections[id];
    for (batch *t = c->unwritten; t != NULL; t = t->next) t->times.written_us = now_us;
    c->unwritten = NULL;
}

/* -- settling a batch -------------------------------------------------------------- */

/* Prefetches the operations of a batch that is about to be settled. */
static void prefetch_batch(wm_batcher *b, const batch *t)
{
    for (uint32_t i = 0; i < t->count; i++) __builtin_prefetch(wm_oplog_at(b->log, t->ops[i]), 1);
}

WM_HOT_PATH uint32_t wm_batcher_ack(wm_batcher *b, int id, const char *last_id, size_t len)
{
    connection *c = &b->connections[id];
    batch *previous = NULL;
    batch *t = c->oldest;
    while (t != NULL && (len != WM_OP_ID_LEN || memcmp(t->last_id, last_id, len) != 0)) {
        previous = t;
        t = t->next;
    }
    if (t == NULL) return b->groups > 0 || c->trial != NULL ? wm_batcher_ack_late(b, id, last_id, len) : 0;
    wm_batcher_unlink(c, previous, t);
    if (t->times.cut_us > c->acked_cut_us) c->acked_cut_us = t->times.cut_us;
    if (c->prefetched != t) prefetch_batch(b, t);
    const batch *expected = c->oldest;
    c->prefetched = expected;
    if (b->hooks.acked) b->hooks.acked(b->hooks.user, id, t->ops, t->count, &t->times);
    uint32_t settled = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        if (expected != NULL && i < expected->count) __builtin_prefetch(wm_oplog_at(b->log, expected->ops[i]), 1);
        if (t->ops[i] == WM_NO_OP) continue;
        const wm_op *op = wm_oplog_at(b->log, t->ops[i]);
        wm_batcher_leaves_flight(c, op);
        wm_batcher_settle(b, t->ops[i]);
        settled++;
    }
    wm_batcher_keep_spare(b, t);
    if (b->groups > 0) wm_batcher_confirm_failures(b, id);
    return settled;
}

typedef struct place_in_flight {
    batch *previous; /* NULL: `batch` is the oldest */
    batch *batch;    /* NULL: the operation is in no batch */
    uint32_t index;
} place_in_flight;

static place_in_flight find_in_flight(wm_batcher *b, int id, const char *op_id, size_t len)
{
    batch *previous = NULL;
    for (batch *t = b->connections[id].oldest; t != NULL && len == WM_OP_ID_LEN; previous = t, t = t->next) {
        for (uint32_t i = 0; i < t->count; i++) {
            if (t->ops[i] == WM_NO_OP) continue;
            if (memcmp(wm_op_id(wm_oplog_at(b->log, t->ops[i])), op_id, len) == 0) return (place_in_flight){previous, t, i};
        }
    }
    return (place_in_flight){NULL, NULL, 0};
}

uint32_t wm_batcher_find_in_flight(wm_batcher *b, int id, const char *op_id, size_t len)
{
    place_in_flight at = find_in_flight(b, id, op_id, len);
    return at.batch == NULL ? WM_NO_OP : at.batch->ops[at.index];
}

static place_in_flight place_of(wm_batcher *b, int id, uint32_t index)
{
    return find_in_flight(b, id, wm_op_id(wm_oplog_at(b->log, index)), WM_OP_ID_LEN);
}

/* Removes an operation from its batch, and a batch that is empty then from those in flight. */
static void take_out(wm_batcher *b, int id, place_in_flight at)
{
    at.batch->ops[at.index] = WM_NO_OP;
    if (--at.batch->live > 0) return;
    wm_batcher_unlink(&b->connections[id], at.previous, at.batch);
    wm_batcher_keep_spare(b, at.batch);
}

bool wm_batcher_ack_one(wm_batcher *b, int id, uint32_t index)
{
    connection *c = &b->connections[id];
    place_in_flight at = place_of(b, id, index);
    if (at.batch == NULL) return false;
    if (b->hooks.acked) b->hooks.acked(b->hooks.user, id, &at.batch->ops[at.index], 1, &at.batch->times);
    if (at.batch->times.cut_us > c->acked_cut_us) c->acked_cut_us = at.batch->times.cut_us;
    wm_batcher_leaves_flight(c, wm_oplog_at(b->log, index));
    take_out(b, id, at);
    wm_batcher_settle(b, index);
    return true;
}

bool wm_batcher_remove_in_flight(wm_batcher *b, int id, uint32_t index)
{
    place_in_flight at = place_of(b, id, index);
    if (at.batch == NULL) return false;
    take_out(b, id, at);
    wm_batcher_leaves_flight(&b->connections[id], wm_oplog_at(b->log, index));
    return true;
}

bool wm_batcher_return_in_flight(wm_batcher *b, int id, uint32_t index, uint64_t now_us)
{
    place_in_flight at = place_of(b, id, index);
    if (at.batch == NULL) return false;
    take_out(b, id, at);
    wm_batcher_return_op(b, id, index, now_us);
    return true;
}

static void return_batch(wm_batcher *b, int id, batch *t, uint64_t now_us)
{
    for (uint32_t i = t->count; i-- > 0;)
        if (t->ops[i] != WM_NO_OP) wm_batcher_return_op(b, id, t->ops[i], now_us);
    wm_batcher_keep_spare(b, t);
}

static uint32_t release(wm_batcher *b, int id, uint64_t now_us, bool all)
{
    connection *c = &b->connections[id];
    uint32_t returned = 0;
    batch *previous = NULL;
    batch *t = c->oldest;
    while (t != NULL) {
        batch *next = t->next;
        if (all || t->deadline_us <= now_us) {
            wm_batcher_unlink(c, previous, t);
            returned += t->live;
            if (t->is_trial) wm_batcher_return_trial(b, id, t);
            else return_batch(b, id, t, now_us);
        } else {
            previous = t;
        }
        t = next;
    }
    return returned;
}

uint32_t wm_batcher_release_connection(wm_batcher *b, int id, uint64_t now_us)
{
    b->connections[id].is_closed = false;
    return release(b, id, now_us, true);
}

uint32_t wm_batcher_release_expired(wm_batcher *b, int id, uint64_t now_us)
{
    return release(b, id, now_us, false);
}

void wm_batcher_close_window(wm_batcher *b, int id, bool closed)
{
    b->connections[id].is_closed = closed;
}

void wm_batcher_hasten(wm_batcher *b, int id, uint64_t at_us)
{
    for (batch *t = b->connections[id].oldest; t != NULL; t = t->next)
        if (t->deadline_us > at_us) t->deadline_us = at_us;
}

uint64_t wm_batcher_overdue_since(const wm_batcher *b, int id, uint64_t now_us)
{
    for (const batch *t = b->connections[id].oldest; t != NULL; t = t->next)
        if (t->deadline_us <= now_us) return t->times.cut_us;
    return 0;
}

uint32_t wm_batcher_extend_overdue(wm_batcher *b, int id, uint64_t now_us)
{
    uint32_t ops = 0;
    for (batch *t = b->connections[id].oldest; t != NULL; t = t->next) {
        if (t->deadline_us > now_us) continue;
        t->deadline_us = now_us + b->limits.ack_timeout_us;
        ops += t->live;
    }
    return ops;
}

uint64_t wm_batcher_acked_cut_us(const wm_batcher *b, int id)
{
    return b->connections[id].acked_cut_us;
}
