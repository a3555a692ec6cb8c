/* Assigns partitions to connections, and reports the figures of queues. */
#include "oplog/batcher_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

wm_batcher *wm_batcher_new(wm_oplog *log, wm_route_table *routes, wm_batch_limits limits, wm_batcher_hooks hooks)
{
    wm_batcher *b = calloc(1, sizeof *b);
    if (b == NULL) return NULL;
    if (limits.max_ops > 65535) limits.max_ops = 65535; /* the frame's array header */
    if (limits.max_bytes > WM_FRAME_BYTES_MAX) limits.max_bytes = WM_FRAME_BYTES_MAX;
    *b = (wm_batcher){.log = log, .routes = routes, .limits = limits, .hooks = hooks, .partition_count = routes->count};
    b->partitions = calloc(routes->count, sizeof *b->partitions);
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
    for (uint32_t i = 0; i < b->connection_count; i++) free_batches(b->connections[i].oldest);
    free_batches(b->spare);
    free_batches(b->aside_oldest);
    free(b->connections);
    free(b->partitions);
    free(b);
}

/* -- connections and routes ------------------------------------------------------------ */

int wm_batcher_set_connections(wm_batcher *b, uint32_t count)
{
    if (count <= b->connection_count) return WM_OK;
    connection *grown = realloc(b->connections, count * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    b->connections = grown;
    for (uint32_t i = b->connection_count; i < count; i++)
        grown[i] = (connection){
            .batch_ops = UINT32_MAX, .window = UINT32_MAX, .ready = NO_PARTITION, .send_head = WM_NO_OP, .send_tail = WM_NO_OP};
    b->connection_count = count;
    return WM_OK;
}

void wm_batcher_set_serial(wm_batcher *b, int id, bool serial)
{
    connection *c = &b->connections[id];
    if (c->serial == serial) return;
    c->serial = serial;
    for (uint32_t i = 0; i < b->partition_count; i++) wm_batcher_refresh_ready(b, i);
}

void wm_batcher_set_window(wm_batcher *b, int id, uint32_t batch_ops, uint32_t ops)
{
    b->connections[id].batch_ops = batch_ops > 0 ? batch_ops : 1;
    b->connections[id].window = ops;
}

void wm_batcher_set_route(wm_batcher *b, uint32_t id, int to)
{
    partition *p = &b->partitions[id];
    int route = wm_batcher_route_of(b, id);
    if (route == to) return;
    if (p->ready) wm_batcher_leave_ring(b, id);
    if (route == WM_NO_CONNECTION) {
        b->held -= p->count;
        b->held_bytes -= p->bytes;
    } else {
        connection *from = &b->connections[route];
        from->pending_ops -= p->count;
        from->pending_bytes -= p->bytes;
        /* Moved once all routes that change together are set: wm_batcher_move_rerouted. */
        if (from->send_head != WM_NO_OP) b->has_rerouted = from->has_rerouted = p->rerouted = true;
    }
    b->routes->all[id].connection = to;
    b->routes->changes++;
    if (to == WM_NO_CONNECTION) {
        b->held += p->count;
        b->held_bytes += p->bytes;
        if (p->count > 0) b->has_lost_routes = true;
        return;
    }
    b->connections[to].pending_ops += p->count;
    b->connections[to].pending_bytes += p->bytes;
    wm_batcher_refresh_ready(b, id);
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

/* Empties a queue into `all`. Returns the number of its operations. */
static uint32_t collect(wm_batcher *b, uint32_t *head, uint32_t *tail, ordered *all)
{
    uint32_t count = 0;
    for (uint32_t at = *head; at != WM_NO_OP; at = *wm_oplog_next(b->log, at))
        all[count++] = (ordered){wm_oplog_at(b->log, at)->seq, at};
    *head = *tail = WM_NO_OP;
    return count;
}

/* Empties all queues into `all`, and sets their figures to 0. Returns the number of pending operations. */
static uint32_t collect_all(wm_batcher *b, ordered *all)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < b->partition_count; i++)
        count += collect(b, &b->partitions[i].head, &b->partitions[i].tail, all + count);
    for (uint32_t i = 0; i < b->connection_count; i++) {
        connection *c = &b->connections[i];
        count += collect(b, &c->send_head, &c->send_tail, all + count);
        c->has_rerouted = false;
        c->ready = NO_PARTITION;
        c->pending_ops = 0;
        c->pending_bytes = 0;
    }
    b->has_rerouted = false;
    b->held = 0;
    b->held_bytes = 0;
    if (count > 0) b->has_lost_routes = true;
    return count;
}

int wm_batcher_repartition(wm_batcher *b, uint32_t (*partition_of)(void *user, const char *key, size_t len), void *user)
{
    partition *fresh = calloc(b->routes->count, sizeof *fresh);
    ordered *all = malloc((wm_oplog_count(b->log) + 1) * sizeof *all);
    if (fresh == NULL || all == NULL) {
        free(fresh);
        free(all);
        return WM_ENOMEM;
    }
    uint32_t pending = collect_all(b, all);
    qsort(all, pending, sizeof *all, by_seq);
    free(b->partitions);
    b->partitions = fresh;
    b->partition_count = b->routes->count;
    for (uint32_t i = 1; i < wm_oplog_end(b->log); i++) {
        wm_op *op = wm_oplog_at(b->log, i);
        if (op->state == WM_OP_FREE) continue;
        op->partition = partition_of(user, wm_op_key(op), op->key_len);
    }
    for (uint32_t i = 0; i < pending; i++) wm_batcher_add(b, all[i].op, 0);
    free(all);
    return WM_OK;
}

/* -- figures ----------------------------------------------------------------------- */

wm_connection_load wm_batcher_load(wm_batcher *b, int id)
{
    wm_batcher_move_rerouted(b);
    const connection *c = &b->connections[id];
    return (wm_connection_load){
        .pending_ops = c->pending_ops,
        .pending_bytes = c->pending_bytes,
        .in_flight_batches = c->in_flight_batches,
        .in_flight_ops = c->in_flight_ops,
        .in_flight_bytes = c->in_flight_bytes,
        .oldest_sent_us = c->oldest == NULL ? 0 : c->oldest->times.cut_us,
    };
}

uint32_t wm_batcher_in_flight(const wm_batcher *b, size_t *bytes)
{
    uint32_t ops = 0;
    *bytes = 0;
    for (uint32_t i = 0; i < b->connection_count; i++) {
        ops += b->connections[i].in_flight_ops;
        *bytes += b->connections[i].in_flight_bytes;
    }
    return ops;
}

uint32_t wm_batcher_undroppable(const wm_batcher *b, size_t *bytes)
{
    uint32_t ops = wm_batcher_in_flight(b, bytes);
    for (const batch *g = b->aside_oldest; g != NULL; g = g->next)
        for (uint32_t i = 0; i < g->count; i++)
            if (g->ops[i] != WM_NO_OP) *bytes += wm_oplog_at(b->log, g->ops[i])->len;
    return ops + b->aside;
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

static bool send_queue_has(const wm_batcher *b, const connection *c, const bool *chosen, uint64_t seq)
{
    for (uint32_t at = c->send_head; at != WM_NO_OP; at = *wm_oplog_next(b->log, at)) {
        const wm_op *op = wm_oplog_at(b->log, at);
        if (op->seq > seq) return false;
        if (chosen[op->partition]) return true;
    }
    return false;
}

bool wm_batcher_has_backlog(const wm_batcher *b, const bool *chosen, uint64_t seq)
{
    for (uint32_t i = 0; i < b->partition_count; i++) {
        uint32_t head = b->partitions[i].head;
        if (chosen[i] && head != WM_NO_OP && wm_oplog_at(b->log, head)->seq <= seq) return true;
    }
    for (uint32_t i = 0; i < b->connection_count; i++)
        if (send_queue_has(b, &b->connections[i], chosen, seq)) return true;
    for (uint32_t i = 0; i < b->connection_count; i++)
        for (const batch *t = b->connections[i].oldest; t != NULL; t = t->next)
            if (holds_one_of(b, t, chosen, seq)) return true;
    for (const batch *g = b->aside_oldest; g != NULL; g = g->next)
        if (holds_one_of(b, g, chosen, seq)) return true;
    return false;
}

uint32_t wm_batcher_held(wm_batcher *b)
{
    wm_batcher_move_rerouted(b);
    return b->held;
}

size_t wm_batcher_held_bytes(wm_batcher *b)
{
    wm_batcher_move_rerouted(b);
    return b->held_bytes;
}
