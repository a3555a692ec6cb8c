#include "batcher_internal.h"

#include <stdlib.h>
#include <string.h>

#include "hot_path.h"
#include "status.h"

/* So many acknowledgements end a narrowing: more than there are partitions, so that
 * each had its turn. */
#define CALM_AFTER 1000

/* OP_BATCH up to the operations: {type: "OP_BATCH", payload: {ops: [ ... */
static const uint8_t frame_head[] = "\x82\xa4type\xa8OP_BATCH\xa7payload\x81\xa3ops\xdc";
#define FRAME_HEAD (sizeof frame_head - 1)

/* -- cutting a batch --------------------------------------------------------------- */

static uint32_t batch_ops(const wm_batcher *b, const lane *l)
{
    return l->narrowed != 0 ? l->narrowed : b->limits.max_ops;
}

static uint32_t window(const wm_batcher *b, const lane *l)
{
    return l->narrowed != 0 ? 1 : b->limits.max_in_flight;
}

uint64_t wm_batcher_due_at(const wm_batcher *b, int id)
{
    const lane *l = &b->lanes[id];
    if (l->ready == NO_PARTITION || l->in_flight_batches >= window(b, l)) return UINT64_MAX;
    bool full = l->pending_ops >= batch_ops(b, l) || l->pending_bytes >= b->limits.max_bytes;
    return full ? 0 : l->waiting_since_us + b->limits.linger_us;
}

bool wm_batcher_is_due(const wm_batcher *b, int id, uint64_t now_us)
{
    return wm_batcher_due_at(b, id) <= now_us;
}

static batch *take_spare(wm_batcher *b)
{
    batch *t = b->spare;
    if (t != NULL) {
        b->spare = t->next;
    } else {
        t = calloc(1, sizeof *t);
        if (t == NULL) return NULL;
    }
    t->next = NULL;
    t->count = 0;
    return t;
}

static void keep_spare(wm_batcher *b, batch *t)
{
    t->next = b->spare;
    b->spare = t;
}

static bool make_room(batch *t, uint32_t count)
{
    if (t->cap >= count) return true;
    uint32_t cap = t->cap ? t->cap : 64;
    while (cap < count) cap *= 2;
    uint32_t *grown = realloc(t->ops, cap * sizeof *grown);
    if (grown == NULL) return false;
    t->ops = grown;
    t->cap = cap;
    return true;
}

static void append_in_flight(lane *l, batch *t, size_t bytes)
{
    if (l->newest == NULL) l->oldest = t;
    else l->newest->next = t;
    l->newest = t;
    if (l->unwritten == NULL) l->unwritten = t;
    l->in_flight_batches++;
    l->in_flight_ops += t->count;
    l->in_flight_bytes += bytes;
}

/* Operations waited for long, as seen from the processor's caches: what a batch will look
 * at is asked for well before. */
#define NEAR_OPS 64u

static void bring_queue_near(wm_batcher *b, const partition *p)
{
    uint32_t at = p->head;
    for (uint32_t i = 0; i < NEAR_OPS && at != WM_NO_OP; i++) {
        __builtin_prefetch(wm_oplog_at(b->log, at), 1);
        at = *wm_oplog_next(b->log, at);
    }
}

static void bring_bytes_near(const wm_op *op)
{
    __builtin_prefetch(op->span.bytes);
    __builtin_prefetch(op->span.bytes + 64);
}

/* The next operations of the lane's ready partitions, one at least, join the batch: not more
 * bytes than max_bytes, but for a first one that is larger alone. Their bytes. */
static size_t choose(wm_batcher *b, lane *l, batch *t, uint32_t most, uint32_t max_bytes)
{
    size_t bytes = 0;
    bool fits = true;
    bring_queue_near(b, &b->partitions[l->ready]);
    while (l->ready != NO_PARTITION && t->count < most && fits) {
        uint32_t pid = l->ready;
        partition *p = &b->partitions[pid];
        uint32_t before = t->count;
        bring_queue_near(b, &b->partitions[p->ready_next]);
        while (p->head != WM_NO_OP && t->count < most) {
            wm_op *op = wm_oplog_at(b->log, p->head);
            /* The first operation always fits: its size was checked when it was
             * recorded. */
            fits = t->count == 0 || bytes + op->len <= max_bytes;
            if (!fits) break;
            bring_bytes_near(op);
            bytes += op->len;
            op->state = WM_OP_IN_FLIGHT;
            t->ops[t->count++] = wm_batcher_pop_front(b, p);
            p->in_flight++; /* counted per operation */
        }
        if (t->count > before) l->ready = p->ready_next; /* the next batch begins elsewhere */
        wm_batcher_refresh_ready(b, pid);
    }
    return bytes;
}

WM_HOT_PATH int wm_batcher_take_at_most(wm_batcher *b, int id, wm_buffer *frame, uint64_t now_us,
                                        wm_batch_limits limits)
{
    lane *l = &b->lanes[id];
    if (l->ready == NO_PARTITION || l->in_flight_batches >= window(b, l)) return 0;
    uint32_t max_ops = limits.max_ops < batch_ops(b, l) ? limits.max_ops : batch_ops(b, l);
    uint32_t max_bytes = limits.max_bytes < b->limits.max_bytes ? limits.max_bytes : b->limits.max_bytes;
    size_t wanted = l->pending_bytes < max_bytes ? l->pending_bytes : max_bytes;
    uint32_t first = wm_oplog_at(b->log, b->partitions[l->ready].head)->len; /* goes whatever its size */
    if (wanted < first) wanted = first;
    uint32_t most = l->pending_ops < max_ops ? l->pending_ops : max_ops;
    batch *t = take_spare(b);
    if (t == NULL || !make_room(t, most) || wm_buffer_reserve(frame, wanted + FRAME_HEAD + 2) == NULL) {
        if (t != NULL) keep_spare(b, t);
        return WM_ENOMEM;
    }
    wm_buffer_append(frame, frame_head, FRAME_HEAD);
    size_t count_at = frame->len;
    wm_buffer_append(frame, "\0\0", 2);
    size_t bytes = choose(b, l, t, most, max_bytes);
    uint8_t *to = frame->data + frame->len; /* there is room: what was chosen was pending, or is `first` */
    for (uint32_t i = 0; i < t->count; i++) to = wm_oplog_write(b->log, wm_oplog_at(b->log, t->ops[i]), to);
    frame->len = (size_t)(to - frame->data);
    if (b->hooks.routed) b->hooks.routed(b->hooks.user, id, t->ops, t->count);
    memcpy(t->last_id, wm_op_id(wm_oplog_at(b->log, t->ops[t->count - 1])), WM_OP_ID_LEN);
    frame->data[count_at] = (uint8_t)(t->count >> 8);
    frame->data[count_at + 1] = (uint8_t)t->count;
    t->times = (wm_batch_times){now_us, now_us};
    t->deadline_us = now_us + b->limits.ack_timeout_us;
    l->waiting_since_us = now_us;
    append_in_flight(l, t, bytes);
    return (int)t->count;
}

int wm_batcher_take(wm_batcher *b, int id, wm_buffer *frame, uint64_t now_us)
{
    return wm_batcher_take_at_most(b, id, frame, now_us, b->limits);
}

void wm_batcher_written(wm_batcher *b, int id, uint64_t now_us)
{
    lane *l = &b->lanes[id];
    for (batch *t = l->unwritten; t != NULL; t = t->next) t->times.written_us = now_us;
    l->unwritten = NULL;
}

/* -- settling a batch -------------------------------------------------------------- */

static void unlink_batch(lane *l, batch *previous, batch *t)
{
    if (previous == NULL) l->oldest = t->next;
    else previous->next = t->next;
    if (l->newest == t) l->newest = previous;
    if (l->unwritten == t) l->unwritten = t->next;
    l->in_flight_batches--;
}

static void leaves_flight(wm_batcher *b, lane *l, const wm_op *op)
{
    l->in_flight_ops--;
    l->in_flight_bytes -= op->len;
    b->partitions[op->partition].in_flight--;
}

/* The operations of a batch that is about to be settled. */
static void bring_ops_near(wm_batcher *b, const batch *t)
{
    for (uint32_t i = 0; i < t->count; i++) __builtin_prefetch(wm_oplog_at(b->log, t->ops[i]), 1);
}

WM_HOT_PATH uint32_t wm_batcher_ack(wm_batcher *b, int id, const char *last_id, size_t len)
{
    lane *l = &b->lanes[id];
    batch *previous = NULL;
    batch *t = l->oldest;
    while (t != NULL && (len != WM_OP_ID_LEN || memcmp(t->last_id, last_id, len) != 0)) {
        previous = t;
        t = t->next;
    }
    if (t == NULL) return 0;
    unlink_batch(l, previous, t);
    if (l->narrowed != 0 && ++l->calm >= CALM_AFTER) l->narrowed = 0;
    if (l->near != t) bring_ops_near(b, t);
    const batch *expected = l->oldest;
    l->near = expected;
    if (b->hooks.acked) b->hooks.acked(b->hooks.user, id, t->ops, t->count, &t->times);
    uint32_t settled = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        if (expected != NULL && i < expected->count) __builtin_prefetch(wm_oplog_at(b->log, expected->ops[i]), 1);
        if (t->ops[i] == WM_NO_OP) continue;
        const wm_op *op = wm_oplog_at(b->log, t->ops[i]);
        uint32_t pid = op->partition;
        leaves_flight(b, l, op);
        wm_oplog_settle(b->log, t->ops[i]);
        wm_batcher_refresh_ready(b, pid);
        settled++;
    }
    keep_spare(b, t);
    return settled;
}

static batch *find_in_flight(wm_batcher *b, int id, const char *op_id, size_t len, uint32_t *place)
{
    if (len != WM_OP_ID_LEN) return NULL;
    for (batch *t = b->lanes[id].oldest; t != NULL; t = t->next) {
        for (uint32_t i = 0; i < t->count; i++) {
            if (t->ops[i] == WM_NO_OP) continue;
            if (memcmp(wm_op_id(wm_oplog_at(b->log, t->ops[i])), op_id, len) != 0) continue;
            *place = i;
            return t;
        }
    }
    return NULL;
}

uint32_t wm_batcher_find_in_flight(wm_batcher *b, int id, const char *op_id, size_t len)
{
    uint32_t place;
    batch *t = find_in_flight(b, id, op_id, len, &place);
    return t == NULL ? WM_NO_OP : t->ops[place];
}

bool wm_batcher_remove_in_flight(wm_batcher *b, int id, uint32_t index)
{
    wm_op *op = wm_oplog_at(b->log, index);
    uint32_t place;
    batch *t = find_in_flight(b, id, wm_op_id(op), WM_OP_ID_LEN, &place);
    if (t == NULL) return false;
    t->ops[place] = WM_NO_OP;
    leaves_flight(b, &b->lanes[id], op);
    wm_batcher_refresh_ready(b, op->partition);
    return true;
}

static void return_op(wm_batcher *b, int id, uint32_t index, uint64_t now_us)
{
    leaves_flight(b, &b->lanes[id], wm_oplog_at(b->log, index));
    wm_batcher_put_back(b, index, now_us);
    if (b->hooks.returned) b->hooks.returned(b->hooks.user, id, index);
}

bool wm_batcher_return_in_flight(wm_batcher *b, int id, uint32_t index, uint64_t now_us)
{
    uint32_t place;
    batch *t = find_in_flight(b, id, wm_op_id(wm_oplog_at(b->log, index)), WM_OP_ID_LEN, &place);
    if (t == NULL) return false;
    t->ops[place] = WM_NO_OP;
    return_op(b, id, index, now_us);
    return true;
}

static uint32_t give_back(wm_batcher *b, int id, batch *t, uint64_t now_us)
{
    uint32_t returned = 0;
    for (uint32_t i = t->count; i-- > 0;) {
        if (t->ops[i] == WM_NO_OP) continue;
        return_op(b, id, t->ops[i], now_us);
        returned++;
    }
    keep_spare(b, t);
    return returned;
}

static uint32_t release(wm_batcher *b, int id, uint64_t now_us, bool all)
{
    lane *l = &b->lanes[id];
    uint32_t returned = 0;
    batch *previous = NULL;
    batch *t = l->oldest;
    while (t != NULL) {
        batch *next = t->next;
        if (all || t->deadline_us <= now_us) {
            unlink_batch(l, previous, t);
            returned += give_back(b, id, t, now_us);
        } else {
            previous = t;
        }
        t = next;
    }
    return returned;
}

uint32_t wm_batcher_release_lane(wm_batcher *b, int id, uint64_t now_us)
{
    return release(b, id, now_us, true);
}

uint32_t wm_batcher_release_expired(wm_batcher *b, int id, uint64_t now_us)
{
    return release(b, id, now_us, false);
}

void wm_batcher_narrow(wm_batcher *b, int id, uint32_t ops)
{
    b->lanes[id].narrowed = ops < b->limits.max_ops ? ops : b->limits.max_ops;
    b->lanes[id].calm = 0;
}

uint32_t wm_batcher_sole_in_flight(const wm_batcher *b, int id)
{
    const lane *l = &b->lanes[id];
    if (l->in_flight_ops != 1) return WM_NO_OP;
    for (const batch *t = l->oldest; t != NULL; t = t->next)
        for (uint32_t i = 0; i < t->count; i++)
            if (t->ops[i] != WM_NO_OP) return t->ops[i];
    return WM_NO_OP;
}

void wm_batcher_hasten(wm_batcher *b, int id, uint64_t at_us)
{
    for (batch *t = b->lanes[id].oldest; t != NULL; t = t->next)
        if (t->deadline_us > at_us) t->deadline_us = at_us;
}

uint64_t wm_batcher_deadline(const wm_batcher *b, int id)
{
    uint64_t earliest = UINT64_MAX;
    for (const batch *t = b->lanes[id].oldest; t != NULL; t = t->next)
        if (t->deadline_us < earliest) earliest = t->deadline_us;
    return earliest;
}
