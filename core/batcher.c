#include "batcher.h"

#include <stdlib.h>
#include <string.h>

#include "op_encoding.h"
#include "status.h"

#define NO_PARTITION UINT32_MAX

typedef struct partition {
    uint32_t head; /* pending operations, oldest first */
    uint32_t tail;
    uint32_t count;
    uint32_t bytes;
    uint32_t in_flight; /* batches in flight that hold operations of it */
    int lane;
    bool ready; /* stands in its lane's ready ring */
    uint32_t ready_next;
    uint32_t ready_prev;
} partition;

typedef struct batch {
    struct batch *next; /* towards the newer ones */
    uint32_t *ops;      /* WM_NO_OP where one was taken out */
    uint32_t count;
    uint32_t cap;
    wm_batch_times times;
    uint64_t deadline_us;
    char last_id[WM_OP_ID_LEN]; /* as sent: what its acknowledgement names */
} batch;

typedef struct lane {
    bool serial;
    uint32_t narrowed; /* operations in a batch, one batch at a time; 0: as the limits say */
    uint32_t calm;     /* batches acknowledged since it was narrowed */
    uint32_t ready; /* a ring of partitions; the one to serve first */
    uint32_t pending_ops;
    size_t pending_bytes;
    uint64_t waiting_since_us; /* when the oldest pending operation came */
    batch *oldest;
    batch *newest;
    uint32_t in_flight_batches;
    uint32_t in_flight_ops;
} lane;

struct wm_batcher {
    wm_oplog *log;
    wm_batch_limits limits;
    wm_batcher_hooks hooks;
    partition *partitions;
    uint32_t partition_count;
    lane *lanes;
    uint32_t lane_count;
    batch *spare; /* batches to be used again */
    uint32_t held;
};

/* So many acknowledgements end a narrowing: more than there are partitions, so that
 * each had its turn. */
#define CALM_AFTER 1000

/* OP_BATCH up to the operations: {type: "OP_BATCH", payload: {ops: [ ... */
static const uint8_t frame_head[] = "\x82\xa4type\xa8OP_BATCH\xa7payload\x81\xa3ops\xdc";
#define FRAME_HEAD (sizeof frame_head - 1)

const char *wm_op_id(const wm_op *op)
{
    return (const char *)op->span.bytes + WM_OP_ID_AT;
}

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

static bool is_servable(const wm_batcher *b, const partition *p)
{
    if (p->count == 0 || p->lane == WM_LANE_NONE) return false;
    return !(b->lanes[p->lane].serial && p->in_flight > 0);
}

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

/* Brings the ready ring in line with the partition's state: the one place that
 * decides whether a partition is served. */
static void refresh_ready(wm_batcher *b, uint32_t id)
{
    partition *p = &b->partitions[id];
    bool servable = is_servable(b, p);
    if (servable && !p->ready) ring_insert(b, id);
    if (!servable && p->ready) ring_remove(b, id);
}

/* -- counting ------------------------------------------------------------------ */

static void count_pending(wm_batcher *b, partition *p, const wm_op *op, int sign)
{
    p->count += (uint32_t)sign;
    p->bytes += (uint32_t)sign * op->span.len;
    if (p->lane == WM_LANE_NONE) {
        b->held += (uint32_t)sign;
        return;
    }
    lane *l = &b->lanes[p->lane];
    l->pending_ops += (uint32_t)sign;
    l->pending_bytes += (size_t)sign * op->span.len;
}

static void note_waiting(wm_batcher *b, const partition *p, uint64_t now_us)
{
    if (p->lane == WM_LANE_NONE) return;
    lane *l = &b->lanes[p->lane];
    if (l->pending_ops == 0) l->waiting_since_us = now_us;
}

/* -- pending ------------------------------------------------------------------- */

void wm_batcher_add(wm_batcher *b, uint32_t index, uint64_t now_us)
{
    wm_op *op = wm_oplog_at(b->log, index);
    partition *p = &b->partitions[op->partition];
    note_waiting(b, p, now_us);
    op->next = WM_NO_OP;
    if (p->tail == WM_NO_OP) p->head = index;
    else wm_oplog_at(b->log, p->tail)->next = index;
    p->tail = index;
    count_pending(b, p, op, 1);
    if (!p->ready) refresh_ready(b, op->partition);
}

/* Puts an operation that comes back at its place by seq. What is in flight is
 * older than what waits, so the place is nearly always the front. */
static void put_back(wm_batcher *b, uint32_t index, uint64_t now_us)
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
        at = wm_oplog_at(b->log, at)->next;
    }
    op->next = at;
    if (before == WM_NO_OP) p->head = index;
    else wm_oplog_at(b->log, before)->next = index;
    if (at == WM_NO_OP) p->tail = index;
    count_pending(b, p, op, 1);
    refresh_ready(b, op->partition);
}

static uint32_t pop_front(wm_batcher *b, partition *p)
{
    uint32_t index = p->head;
    wm_op *op = wm_oplog_at(b->log, index);
    p->head = op->next;
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
        at = wm_oplog_at(b->log, at)->next;
    }
    if (at == WM_NO_OP) return false;
    if (before == WM_NO_OP) p->head = op->next;
    else wm_oplog_at(b->log, before)->next = op->next;
    if (p->tail == index) p->tail = before;
    count_pending(b, p, op, -1);
    refresh_ready(b, op->partition);
    return true;
}

uint32_t wm_batcher_oldest_pending(wm_batcher *b)
{
    uint32_t oldest = WM_NO_OP;
    uint64_t seq = UINT64_MAX;
    for (uint32_t i = 0; i < b->partition_count; i++) {
        uint32_t head = b->partitions[i].head;
        if (head == WM_NO_OP) continue;
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
        if (b->partitions[i].lane == id) refresh_ready(b, i);
}

void wm_batcher_set_route(wm_batcher *b, uint32_t id, int to)
{
    partition *p = &b->partitions[id];
    if (p->lane == to) return;
    if (p->ready) ring_remove(b, id);
    if (p->lane == WM_LANE_NONE) {
        b->held -= p->count;
    } else {
        b->lanes[p->lane].pending_ops -= p->count;
        b->lanes[p->lane].pending_bytes -= p->bytes;
    }
    p->lane = to;
    if (to == WM_LANE_NONE) {
        b->held += p->count;
        return;
    }
    b->lanes[to].pending_ops += p->count;
    b->lanes[to].pending_bytes += p->bytes;
    refresh_ready(b, id);
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
        for (uint32_t at = b->partitions[i].head; at != WM_NO_OP; at = wm_oplog_at(b->log, at)->next)
            all[pending++] = (ordered){wm_oplog_at(b->log, at)->seq, at};
    }
    qsort(all, pending, sizeof *all, by_seq);
    free(b->partitions);
    b->partitions = fresh;
    b->partition_count = count;
    b->held = 0;
    for (uint32_t i = 1; i < wm_oplog_end(b->log); i++) {
        wm_op *op = wm_oplog_at(b->log, i);
        if (op->state == WM_OP_FREE) continue;
        op->partition = partition_of(user, (const char *)op->span.bytes + op->key_at, op->key_len);
    }
    for (size_t i = 0; i < pending; i++) wm_batcher_add(b, all[i].op, 0);
    free(all);
    for (uint32_t i = 0; i < b->lane_count; i++)
        for (batch *t = b->lanes[i].oldest; t != NULL; t = t->next)
            for (uint32_t k = 0; k < t->count; k++)
                if (t->ops[k] != WM_NO_OP) b->partitions[wm_oplog_at(b->log, t->ops[k])->partition].in_flight++;
    return WM_OK;
}

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

static void append_in_flight(lane *l, batch *t)
{
    if (l->newest == NULL) l->oldest = t;
    else l->newest->next = t;
    l->newest = t;
    l->in_flight_batches++;
    l->in_flight_ops += t->count;
}

int wm_batcher_take_at_most(wm_batcher *b, int id, wm_buffer *frame, uint64_t now_us, wm_batch_limits limits)
{
    lane *l = &b->lanes[id];
    if (l->ready == NO_PARTITION || l->in_flight_batches >= window(b, l)) return 0;
    uint32_t max_ops = limits.max_ops < batch_ops(b, l) ? limits.max_ops : batch_ops(b, l);
    uint32_t max_bytes = limits.max_bytes < b->limits.max_bytes ? limits.max_bytes : b->limits.max_bytes;
    size_t wanted = l->pending_bytes < max_bytes ? l->pending_bytes : max_bytes;
    uint32_t most = l->pending_ops < max_ops ? l->pending_ops : max_ops;
    batch *t = take_spare(b);
    if (t == NULL || !make_room(t, most) || wm_buffer_reserve(frame, wanted + FRAME_HEAD + 2) == NULL) {
        if (t != NULL) keep_spare(b, t);
        return WM_ENOMEM;
    }
    wm_buffer_append(frame, frame_head, FRAME_HEAD);
    size_t count_at = frame->len;
    wm_buffer_append(frame, "\0\0", 2);
    size_t start = frame->len;
    while (l->ready != NO_PARTITION && t->count < most) {
        uint32_t pid = l->ready;
        partition *p = &b->partitions[pid];
        uint32_t before = t->count;
        bool fits = true;
        while (p->head != WM_NO_OP && t->count < most) {
            wm_op *op = wm_oplog_at(b->log, p->head);
            /* The first operation always fits: its size was checked when it was
             * recorded. */
            fits = t->count == 0 || frame->len - start + op->span.len <= max_bytes;
            if (!fits) break;
            uint32_t index = pop_front(b, p);
            wm_buffer_append(frame, op->span.bytes, op->span.len);
            op->state = WM_OP_IN_FLIGHT;
            t->ops[t->count++] = index;
            p->in_flight++; /* counted per operation */
            if (b->hooks.routed) b->hooks.routed(b->hooks.user, id, index);
        }
        if (t->count > before) l->ready = p->ready_next; /* the next batch begins elsewhere */
        refresh_ready(b, pid);
        if (!fits) break;
    }
    memcpy(t->last_id, wm_op_id(wm_oplog_at(b->log, t->ops[t->count - 1])), WM_OP_ID_LEN);
    frame->data[count_at] = (uint8_t)(t->count >> 8);
    frame->data[count_at + 1] = (uint8_t)t->count;
    t->times = (wm_batch_times){now_us, now_us};
    t->deadline_us = now_us + b->limits.ack_timeout_us;
    l->waiting_since_us = now_us;
    append_in_flight(l, t);
    return (int)t->count;
}

int wm_batcher_take(wm_batcher *b, int id, wm_buffer *frame, uint64_t now_us)
{
    return wm_batcher_take_at_most(b, id, frame, now_us, b->limits);
}

void wm_batcher_written(wm_batcher *b, int id, uint64_t now_us)
{
    batch *t = b->lanes[id].newest;
    if (t != NULL) t->times.written_us = now_us;
}

/* -- settling a batch -------------------------------------------------------------- */

static void unlink_batch(lane *l, batch *previous, batch *t)
{
    if (previous == NULL) l->oldest = t->next;
    else previous->next = t->next;
    if (l->newest == t) l->newest = previous;
    l->in_flight_batches--;
}

static void leaves_flight(wm_batcher *b, lane *l, const wm_op *op)
{
    l->in_flight_ops--;
    b->partitions[op->partition].in_flight--;
}

uint32_t wm_batcher_ack(wm_batcher *b, int id, const char *last_id, size_t len)
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
    uint32_t settled = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t index = t->ops[i];
        if (index == WM_NO_OP) continue;
        wm_op *op = wm_oplog_at(b->log, index);
        uint32_t pid = op->partition;
        leaves_flight(b, l, op);
        if (b->hooks.acked) b->hooks.acked(b->hooks.user, id, index, &t->times);
        wm_oplog_settle(b->log, index);
        refresh_ready(b, pid);
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
    refresh_ready(b, op->partition);
    return true;
}

static void return_op(wm_batcher *b, int id, uint32_t index, uint64_t now_us)
{
    leaves_flight(b, &b->lanes[id], wm_oplog_at(b->log, index));
    put_back(b, index, now_us);
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

wm_lane_load wm_batcher_load(const wm_batcher *b, int id)
{
    const lane *l = &b->lanes[id];
    return (wm_lane_load){
        .pending_ops = l->pending_ops,
        .pending_bytes = l->pending_bytes,
        .in_flight_batches = l->in_flight_batches,
        .in_flight_ops = l->in_flight_ops,
        .oldest_sent_us = l->oldest == NULL ? 0 : l->oldest->times.cut_us,
    };
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
