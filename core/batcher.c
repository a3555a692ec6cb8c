#include "batcher_internal.h"

#include <stdlib.h>
#include <string.h>

#include "status.h"

static partition *new_partitions(uint32_t count)
{
    partition *p = calloc(count, sizeof *p);
    for (uint32_t i = 0; p != NULL && i < count; i++) p[i].lane = WM_LANE_NONE;
    return p;
}

wm_batcher *wm_batcher_new(wm_oplog *log, uint32_t partitions, wm_batch_limits limits, wm_batcher_hooks hooks)
{
    wm_batcher *b = calloc(1, sizeof *b);
    if (b == NULL) return NULL;
    if (limits.max_ops > 65535) limits.max_ops = 65535; /* the frame's array header */
    if (limits.max_bytes > WM_FRAME_BYTES_MAX) limits.max_bytes = WM_FRAME_BYTES_MAX;
    *b = (wm_batcher){.log = log, .limits = limits, .hooks = hooks, .partition_count = partitions};
    b->partitions = new_partitions(partitions);
    if (b->partitions == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

static void free_batches(batch *list)
{
    while (list != NULL) {
        batch *next = list->next;
        free(list->ops);
        free(list);
        list = next;
    }
}

void wm_batcher_free(wm_batcher *b)
{
    if (b == NULL) return;
    for (uint32_t i = 0; i < b->lane_count; i++) free_batches(b->lanes[i].oldest);
    free_batches(b->spare);
    free(b->lanes);
    free(b->partitions);
    free(b);
}

/* -- ready rings ------------------------------------------------------------- */

static void ring_insert(wm_batcher *b, uint32_t id)
{
    partition *p = &b->partitions[id];
    lane *l = &b->lanes[p->lane];
    p->ready = true;
    if (l->ready == NO_PARTITION) {
        l->ready = p->ready_next = p->ready_prev = id;
        return;
    }
    partition *first = &b->partitions[l->ready];
    p->ready_next = l->ready;
    p->ready_prev = first->ready_prev;
    b->partitions[first->ready_prev].ready_next = id;
    first->ready_prev = id;
}

static void ring_remove(wm_batcher *b, uint32_t id)
{
    partition *p = &b->partitions[id];
    lane *l = &b->lanes[p->lane];
    p->ready = false;
    if (p->ready_next == id) {
        l->ready = NO_PARTITION;
        return;
    }
    b->partitions[p->ready_prev].ready_next = p->ready_next;
    b->partitions[p->ready_next].ready_prev = p->ready_prev;
    if (l->ready == id) l->ready = p->ready_next;
}

void wm_batcher_set_ready(wm_batcher *b, uint32_t id, bool ready)
{
    if (ready) ring_insert(b, id);
    else ring_remove(b, id);
}

/* -- counting ------------------------------------------------------------------ */

static void count_pending(wm_batcher *b, partition *p, const wm_op *op, int sign)
{
    p->count += (uint32_t)sign;
    p->bytes += (size_t)sign * op->len;
    if (p->lane == WM_LANE_NONE) {
        b->held += (uint32_t)sign;
        b->held_bytes += (size_t)sign * op->len;
        return;
    }
    lane *l = &b->lanes[p->lane];
    l->pending_ops += (uint32_t)sign;
    l->pending_bytes += (size_t)sign * op->len;
}

static void note_waiting(wm_batcher *b, const partition *p, uint64_t now_us)
{
    if (p->lane == WM_LANE_NONE) return;
    lane *l = &b->lanes[p->lane];
    if (l->pending_ops == 0) l->waiting_since_us = now_us;
}

/* -- pending ------------------------------------------------------------------- */

void wm_batcher_expect(const wm_batcher *b, uint32_t id)
{
    const partition *p = &b->partitions[id];
    __builtin_prefetch(p, 1);
    __builtin_prefetch(&p->ready_prev, 1);
}

void wm_batcher_add(wm_batcher *b, uint32_t index, uint64_t now_us)
{
    wm_op *op = wm_oplog_at(b->log, index);
    partition *p = &b->partitions[op->partition];
    note_waiting(b, p, now_us);
    *wm_oplog_next(b->log, index) = WM_NO_OP;
    if (p->tail == WM_NO_OP) p->head = index;
    else *wm_oplog_next(b->log, p->tail) = index;
    p->tail = index;
    count_pending(b, p, op, 1);
    if (p->lane == WM_LANE_NONE && b->newly_held_count < WM_NEWLY_HELD_MAX) b->newly_held[b->newly_held_count++] = index;
    if (!p->ready) wm_batcher_refresh_ready(b, op->partition);
}

void wm_batcher_put_back(wm_batcher *b, uint32_t index, uint64_t now_us)
{
    wm_op *op = wm_oplog_at(b->log, index);
    partition *p = &b->partitions[op->partition];
    note_waiting(b, p, now_us);
    op->state = WM_OP_PENDING;
    if (op->tries < UINT8_MAX) op->tries++;
    wm_op_next_attempt(op->span.bytes);
    uint32_t before = WM_NO_OP;
    uint32_t at = p->head;
    while (at != WM_NO_OP && wm_oplog_at(b->log, at)->seq < op->seq) {
        before = at;
        at = *wm_oplog_next(b->log, at);
    }
    *wm_oplog_next(b->log, index) = at;
    if (before == WM_NO_OP) p->head = index;
    else *wm_oplog_next(b->log, before) = index;
    if (at == WM_NO_OP) p->tail = index;
    count_pending(b, p, op, 1);
    wm_batcher_refresh_ready(b, op->partition);
}

uint32_t wm_batcher_pop_front(wm_batcher *b, partition *p)
{
    uint32_t index = p->head;
    wm_op *op = wm_oplog_at(b->log, index);
    p->head = *wm_oplog_next(b->log, index);
    if (p->head == WM_NO_OP) p->tail = WM_NO_OP;
    count_pending(b, p, op, -1);
    return index;
}

bool wm_batcher_remove_pending(wm_batcher *b, uint32_t index)
{
    wm_op *op = wm_oplog_at(b->log, index);
    partition *p = &b->partitions[op->partition];
    uint32_t before = WM_NO_OP;
    uint32_t at = p->head;
    while (at != WM_NO_OP && at != index) {
        before = at;
        at = *wm_oplog_next(b->log, at);
    }
    if (at == WM_NO_OP) return false;
    if (before == WM_NO_OP) p->head = *wm_oplog_next(b->log, index);
    else *wm_oplog_next(b->log, before) = *wm_oplog_next(b->log, index);
    if (p->tail == index) p->tail = before;
    count_pending(b, p, op, -1);
    wm_batcher_refresh_ready(b, op->partition);
    return true;
}

uint32_t wm_batcher_oldest_pending(wm_batcher *b, int first, int last)
{
    uint32_t oldest = WM_NO_OP;
    uint64_t seq = UINT64_MAX;
    for (uint32_t i = 0; i < b->partition_count; i++) {
        uint32_t head = b->partitions[i].head;
        if (head == WM_NO_OP || b->partitions[i].lane < first || b->partitions[i].lane > last) continue;
        const wm_op *op = wm_oplog_at(b->log, head);
        if (op->seq < seq) {
            seq = op->seq;
            oldest = head;
        }
    }
    return oldest;
}

/* -- lanes and routes ------------------------------------------------------------ */

int wm_batcher_set_lanes(wm_batcher *b, uint32_t count)
{
    if (count <= b->lane_count) return WM_OK;
    lane *grown = realloc(b->lanes, count * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    b->lanes = grown;
    for (uint32_t i = b->lane_count; i < count; i++) grown[i] = (lane){.ready = NO_PARTITION};
    b->lane_count = count;
    return WM_OK;
}

void wm_batcher_set_serial(wm_batcher *b, int id, bool serial)
{
    if (b->lanes[id].serial == serial) return;
    b->lanes[id].serial = serial;
    for (uint32_t i = 0; i < b->partition_count; i++)
        if (b->partitions[i].lane == id) wm_batcher_refresh_ready(b, i);
}

void wm_batcher_set_route(wm_batcher *b, uint32_t id, int to)
{
    partition *p = &b->partitions[id];
    if (p->lane == to) return;
    if (p->ready) ring_remove(b, id);
    if (p->lane == WM_LANE_NONE) {
        b->held -= p->count;
        b->held_bytes -= p->bytes;
    } else {
        b->lanes[p->lane].pending_ops -= p->count;
        b->lanes[p->lane].pending_bytes -= p->bytes;
    }
    p->lane = to;
    if (to == WM_LANE_NONE) {
        b->held += p->count;
        b->held_bytes += p->bytes;
        if (p->count > 0) b->has_lost_routes = true;
        return;
    }
    b->lanes[to].pending_ops += p->count;
    b->lanes[to].pending_bytes += p->bytes;
    wm_batcher_refresh_ready(b, id);
}

int wm_batcher_route(const wm_batcher *b, uint32_t id)
{
    return b->partitions[id].lane;
}

typedef struct ordered {
    uint64_t seq;
    uint32_t op;
} ordered;

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const ordered *)a)->seq, y = ((const ordered *)b)->seq;
    return x < y ? -1 : x > y;
}

int wm_batcher_repartition(wm_batcher *b, uint32_t count, uint32_t (*partition_of)(void *user, const char *key, size_t len),
                           void *user)
{
    partition *fresh = new_partitions(count);
    ordered *all = malloc((wm_oplog_count(b->log) + 1) * sizeof *all);
    if (fresh == NULL || all == NULL) {
        free(fresh);
        free(all);
        return WM_ENOMEM;
    }
    size_t pending = 0;
    for (uint32_t i = 0; i < b->partition_count; i++) {
        wm_batcher_set_route(b, i, WM_LANE_NONE);
        for (uint32_t at = b->partitions[i].head; at != WM_NO_OP; at = *wm_oplog_next(b->log, at))
            all[pending++] = (ordered){wm_oplog_at(b->log, at)->seq, at};
    }
    qsort(all, pending, sizeof *all, by_seq);
    free(b->partitions);
    b->partitions = fresh;
    b->partition_count = count;
    b->held = 0;
    b->held_bytes = 0;
    for (uint32_t i = 1; i < wm_oplog_end(b->log); i++) {
        wm_op *op = wm_oplog_at(b->log, i);
        if (op->state == WM_OP_FREE) continue;
        op->partition = partition_of(user, wm_op_key(op), op->key_len);
    }
    for (size_t i = 0; i < pending; i++) wm_batcher_add(b, all[i].op, 0);
    free(all);
    for (uint32_t i = 0; i < b->lane_count; i++)
        for (batch *t = b->lanes[i].oldest; t != NULL; t = t->next)
            for (uint32_t k = 0; k < t->count; k++)
                if (t->ops[k] != WM_NO_OP) b->partitions[wm_oplog_at(b->log, t->ops[k])->partition].in_flight++;
    return WM_OK;
}

/* -- figures ----------------------------------------------------------------------- */

wm_lane_load wm_batcher_load(const wm_batcher *b, int id)
{
    const lane *l = &b->lanes[id];
    return (wm_lane_load){
        .pending_ops = l->pending_ops,
        .pending_bytes = l->pending_bytes,
        .in_flight_batches = l->in_flight_batches,
        .in_flight_ops = l->in_flight_ops,
        .in_flight_bytes = l->in_flight_bytes,
        .oldest_sent_us = l->oldest == NULL ? 0 : l->oldest->times.cut_us,
    };
}

uint32_t wm_batcher_in_flight(const wm_batcher *b, size_t *bytes)
{
    uint32_t ops = 0;
    *bytes = 0;
    for (uint32_t i = 0; i < b->lane_count; i++) {
        ops += b->lanes[i].in_flight_ops;
        *bytes += b->lanes[i].in_flight_bytes;
    }
    return ops;
}

static bool holds_one_of(const wm_batcher *b, const batch *t, const bool *chosen, uint64_t seq)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->ops[i] == WM_NO_OP) continue;
        const wm_op *op = wm_oplog_at(b->log, t->ops[i]);
        if (chosen[op->partition] && op->seq <= seq) return true;
    }
    return false;
}

bool wm_batcher_has_backlog(const wm_batcher *b, const bool *chosen, uint64_t seq)
{
    for (uint32_t i = 0; i < b->partition_count; i++) {
        uint32_t head = b->partitions[i].head;
        if (chosen[i] && head != WM_NO_OP && wm_oplog_at(b->log, head)->seq <= seq) return true;
    }
    for (uint32_t i = 0; i < b->lane_count; i++)
        for (const batch *t = b->lanes[i].oldest; t != NULL; t = t->next)
            if (holds_one_of(b, t, chosen, seq)) return true;
    return false;
}

uint32_t wm_batcher_held(const wm_batcher *b)
{
    return b->held;
}

size_t wm_batcher_held_bytes(const wm_batcher *b)
{
    return b->held_bytes;
}
