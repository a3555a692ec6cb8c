/* One batch: allocating, writing and unlinking it, and returning its operations. */
#include "oplog/batcher_state.h"

#include <stdlib.h>
#include <string.h>

/* OP_BATCH up to the operations: {type: "OP_BATCH", payload: {ops: [ ... */
static const uint8_t frame_head[] = "\x82\xa4type\xa8OP_BATCH\xa7payload\x81\xa3ops\xdc";
#define FRAME_HEAD (sizeof frame_head - 1)

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
    t->count = t->live = 0;
    t->is_trial = false;
    t->fault = t->attempts = t->proofs = 0;
    t->failed_cut_us = t->retry_us = 0;
    memset(t->last_id, 0, sizeof t->last_id);
    memset(t->earlier_id, 0, sizeof t->earlier_id);
    return t;
}

void wm_batcher_keep_spare(wm_batcher *b, batch *t)
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

batch *wm_batcher_new_batch(wm_batcher *b, uint32_t count)
{
    batch *t = take_spare(b);
    if (t == NULL || make_room(t, count)) return t;
    wm_batcher_keep_spare(b, t);
    return NULL;
}

static void append_in_flight(connection *c, batch *t, size_t bytes)
{
    if (c->newest == NULL) c->oldest = t;
    else c->newest->next = t;
    c->newest = t;
    if (c->unwritten == NULL) c->unwritten = t;
    c->in_flight_batches++;
    c->in_flight_ops += t->count;
    c->in_flight_bytes += bytes;
    t->live = t->count;
}

static bool write_batch(wm_batcher *b, const batch *t, size_t bytes, wm_buffer *frame)
{
    if (wm_buffer_reserve(frame, bytes + FRAME_HEAD + 2) == NULL) return false;
    uint8_t count[2] = {(uint8_t)(t->count >> 8), (uint8_t)t->count};
    wm_buffer_append(frame, frame_head, FRAME_HEAD);
    wm_buffer_append(frame, count, sizeof count);
    uint8_t *to = frame->data + frame->len;
    for (uint32_t i = 0; i < t->count; i++) {
        wm_op *op = wm_oplog_at(b->log, t->ops[i]);
        op->state = WM_OP_IN_FLIGHT;
        to = wm_oplog_write(b->log, op, to);
    }
    frame->len = (size_t)(to - frame->data);
    return true;
}

bool wm_batcher_send(wm_batcher *b, int id, batch *t, size_t bytes, wm_buffer *frame, uint64_t now_us)
{
    if (!write_batch(b, t, bytes, frame)) return false;
    if (b->hooks.routed) b->hooks.routed(b->hooks.user, id, t->ops, t->count);
    memcpy(t->last_id, wm_op_id(wm_oplog_at(b->log, t->ops[t->count - 1])), WM_OP_ID_LEN);
    t->times = (wm_batch_times){now_us, now_us};
    t->deadline_us = now_us + b->limits.ack_timeout_us;
    append_in_flight(&b->connections[id], t, bytes);
    return true;
}

void wm_batcher_unlink(connection *c, batch *previous, batch *t)
{
    if (previous == NULL) c->oldest = t->next;
    else previous->next = t->next;
    if (c->newest == t) c->newest = previous;
    if (c->unwritten == t) c->unwritten = t->next;
    c->in_flight_batches--;
    if (c->trial != t) return;
    c->trial = NULL;
    c->others_first = true;
}

void wm_batcher_next_attempt(wm_batcher *b, int id, uint32_t index)
{
    wm_op *op = wm_oplog_at(b->log, index);
    wm_batcher_leaves_flight(&b->connections[id], op);
    if (op->tries < UINT8_MAX) op->tries++;
    wm_op_next_attempt(op->span.bytes);
}

void wm_batcher_return_op(wm_batcher *b, int id, uint32_t index, uint64_t now_us)
{
    wm_batcher_next_attempt(b, id, index);
    wm_batcher_put_back(b, index, now_us);
    if (b->hooks.returned) b->hooks.returned(b->hooks.user, id, index);
}
