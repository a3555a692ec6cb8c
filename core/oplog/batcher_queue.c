/* Pending operations: the send queues of connections and the retry queues of partitions. */
#include "oplog/batcher_state.h"

/* -- counting ------------------------------------------------------------------ */

void wm_batcher_count(wm_batcher *b, int id, const wm_op *op, int sign)
{
    if (id == WM_NO_CONNECTION) {
        b->held += (uint32_t)sign;
        b->held_bytes += (size_t)sign * op->len;
        return;
    }
    connection *c = &b->connections[id];
    c->pending_ops += (uint32_t)sign;
    c->pending_bytes += (size_t)sign * op->len;
}

static void note_waiting(wm_batcher *b, int id, uint64_t now_us)
{
    if (id == WM_NO_CONNECTION) return;
    connection *c = &b->connections[id];
    if (c->pending_ops == 0) c->waiting_since_us = now_us;
}

/* -- ready rings ------------------------------------------------------------- */

static void enter_ring(wm_batcher *b, uint32_t id)
{
    partition *p = &b->partitions[id];
    connection *c = &b->connections[wm_batcher_route_of(b, id)];
    p->ready = true;
    if (c->ready == NO_PARTITION) {
        c->ready = p->ready_next = p->ready_prev = id;
        return;
    }
    partition *first = &b->partitions[c->ready];
    p->ready_next = c->ready;
    p->ready_prev = first->ready_prev;
    b->partitions[first->ready_prev].ready_next = id;
    first->ready_prev = id;
}

void wm_batcher_leave_ring(wm_batcher *b, uint32_t id)
{
    partition *p = &b->partitions[id];
    connection *c = &b->connections[wm_batcher_route_of(b, id)];
    p->ready = false;
    if (p->ready_next == id) {
        c->ready = NO_PARTITION;
        return;
    }
    b->partitions[p->ready_prev].ready_next = p->ready_next;
    b->partitions[p->ready_next].ready_prev = p->ready_prev;
    if (c->ready == id) c->ready = p->ready_next;
}

/* Operations that follow one that is set aside may wait for long. Up to this many of them are skipped to
 * find one that may be sent. */
#define PASSED_OVER_MAX 256u

uint32_t wm_batcher_first_ready(const wm_batcher *b, const connection *c, const partition *p, uint32_t *before)
{
    uint32_t left = b->aside > 0 || c->trial != NULL ? PASSED_OVER_MAX : 1;
    *before = WM_NO_OP;
    for (uint32_t at = p->head; at != WM_NO_OP && left > 0; at = *wm_oplog_next(b->log, at), left--) {
        if (wm_batcher_may_join(b, c, at)) return at;
        *before = at;
    }
    return WM_NO_OP;
}

static bool is_ready(const wm_batcher *b, uint32_t id)
{
    uint32_t before;
    int route = wm_batcher_route_of(b, id);
    return route != WM_NO_CONNECTION && wm_batcher_first_ready(b, &b->connections[route], &b->partitions[id], &before) != WM_NO_OP;
}

void wm_batcher_refresh_ready(wm_batcher *b, uint32_t id)
{
    const partition *p = &b->partitions[id];
    bool ready = is_ready(b, id);
    if (ready == p->ready) return;
    if (ready) enter_ring(b, id);
    else wm_batcher_leave_ring(b, id);
}

/* -- retry queues ------------------------------------------------------------------- */

static void entered_retry_queue(partition *p, const wm_op *op)
{
    p->count++;
    p->bytes += op->len;
}

static void left_retry_queue(partition *p, const wm_op *op)
{
    p->count--;
    p->bytes -= op->len;
}

static void append_to_retry_queue(wm_batcher *b, partition *p, uint32_t index)
{
    *wm_oplog_next(b->log, index) = WM_NO_OP;
    if (p->tail == WM_NO_OP) p->head = index;
    else *wm_oplog_next(b->log, p->tail) = index;
    p->tail = index;
    entered_retry_queue(p, wm_oplog_at(b->log, index));
}

void wm_batcher_queue_retry(wm_batcher *b, uint32_t index)
{
    uint32_t id = wm_oplog_at(b->log, index)->partition;
    append_to_retry_queue(b, &b->partitions[id], index);
    if (!b->partitions[id].ready) wm_batcher_refresh_ready(b, id);
}

void wm_batcher_put_back(wm_batcher *b, uint32_t index, uint64_t now_us)
{
    wm_op *op = wm_oplog_at(b->log, index);
    partition *p = &b->partitions[op->partition];
    int route = wm_batcher_route_of(b, op->partition);
    note_waiting(b, route, now_us);
    op->state = WM_OP_PENDING;
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
    entered_retry_queue(p, op);
    wm_batcher_count(b, route, op, 1);
    wm_batcher_refresh_ready(b, op->partition);
}

void wm_batcher_leave_retry_queue(wm_batcher *b, partition *p, uint32_t index, uint32_t before)
{
    const wm_op *op = wm_oplog_at(b->log, index);
    uint32_t next = *wm_oplog_next(b->log, index);
    if (before == WM_NO_OP) p->head = next;
    else *wm_oplog_next(b->log, before) = next;
    if (p->tail == index) p->tail = before;
    left_retry_queue(p, op);
    wm_batcher_count(b, wm_batcher_route_of(b, op->partition), op, -1);
}

/* -- send queues ---------------------------------------------------------------------- */

static void append_to_send_queue(wm_batcher *b, connection *c, uint32_t index)
{
    *wm_oplog_next(b->log, index) = WM_NO_OP;
    if (c->send_tail == WM_NO_OP) c->send_head = index;
    else *wm_oplog_next(b->log, c->send_tail) = index;
    c->send_tail = index;
}

uint32_t wm_batcher_pop_send_queue(wm_batcher *b, connection *c)
{
    uint32_t index = c->send_head;
    c->send_head = *wm_oplog_next(b->log, index);
    if (c->send_head == WM_NO_OP) c->send_tail = WM_NO_OP;
    return index;
}

static void move_rerouted(wm_batcher *b, int id)
{
    connection *c = &b->connections[id];
    uint32_t at = c->send_head;
    c->send_head = c->send_tail = WM_NO_OP;
    c->has_rerouted = false;
    while (at != WM_NO_OP) {
        uint32_t next = *wm_oplog_next(b->log, at);
        const wm_op *op = wm_oplog_at(b->log, at);
        int to = wm_batcher_route_of(b, op->partition);
        if (to == id) {
            append_to_send_queue(b, c, at);
        } else {
            wm_batcher_count(b, id, op, -1);
            wm_batcher_count(b, to, op, 1);
            if (to == WM_NO_CONNECTION) b->has_lost_routes = true;
            wm_batcher_queue_retry(b, at);
        }
        at = next;
    }
}

void wm_batcher_move_rerouted(wm_batcher *b)
{
    if (!b->has_rerouted) return;
    b->has_rerouted = false;
    for (uint32_t i = 0; i < b->connection_count; i++)
        if (b->connections[i].has_rerouted) move_rerouted(b, (int)i);
    for (uint32_t i = 0; i < b->partition_count; i++) b->partitions[i].rerouted = false;
}

/* -- adding and removing ----------------------------------------------------------------- */

void wm_batcher_add(wm_batcher *b, uint32_t index, uint64_t now_us)
{
    const wm_op *op = wm_oplog_at(b->log, index);
    partition *p = &b->partitions[op->partition];
    if (p->rerouted) wm_batcher_move_rerouted(b); /* they are older */
    int route = wm_batcher_route_of(b, op->partition);
    note_waiting(b, route, now_us);
    wm_batcher_count(b, route, op, 1);
    if (route != WM_NO_CONNECTION) {
        append_to_send_queue(b, &b->connections[route], index);
        return;
    }
    append_to_retry_queue(b, p, index);
    if (b->newly_held_count < WM_NEWLY_HELD_MAX) b->newly_held[b->newly_held_count++] = index;
}

/* Removes an operation from a list. False when it is not in it. */
static bool unlink_op(wm_batcher *b, uint32_t *head, uint32_t *tail, uint32_t index)
{
    uint32_t before = WM_NO_OP;
    uint32_t at = *head;
    while (at != WM_NO_OP && at != index) {
        before = at;
        at = *wm_oplog_next(b->log, at);
    }
    if (at == WM_NO_OP) return false;
    if (before == WM_NO_OP) *head = *wm_oplog_next(b->log, index);
    else *wm_oplog_next(b->log, before) = *wm_oplog_next(b->log, index);
    if (*tail == index) *tail = before;
    return true;
}

bool wm_batcher_remove_pending(wm_batcher *b, uint32_t index)
{
    wm_batcher_move_rerouted(b);
    const wm_op *op = wm_oplog_at(b->log, index);
    partition *p = &b->partitions[op->partition];
    int route = wm_batcher_route_of(b, op->partition);
    connection *c = route == WM_NO_CONNECTION ? NULL : &b->connections[route];
    if (unlink_op(b, &p->head, &p->tail, index)) left_retry_queue(p, op);
    else if (c == NULL || !unlink_op(b, &c->send_head, &c->send_tail, index)) return false;
    wm_batcher_count(b, route, op, -1);
    wm_batcher_refresh_ready(b, op->partition);
    return true;
}

typedef struct sieve {
    bool (*leaves)(void *user, uint32_t op);
    void (*taken)(void *user, uint32_t op);
    void *user;
} sieve;

/* Sifts one list: a retry queue or a send queue. */
static void sift(wm_batcher *b, uint32_t *head, uint32_t *tail, bool is_retry_queue, const sieve *s)
{
    uint32_t before = WM_NO_OP, next;
    for (uint32_t at = *head; at != WM_NO_OP; at = next) {
        next = *wm_oplog_next(b->log, at);
        if (!s->leaves(s->user, at)) {
            before = at;
            continue;
        }
        const wm_op *op = wm_oplog_at(b->log, at);
        partition *p = &b->partitions[op->partition];
        if (before == WM_NO_OP) *head = next;
        else *wm_oplog_next(b->log, before) = next;
        if (*tail == at) *tail = before;
        if (is_retry_queue) left_retry_queue(p, op);
        wm_batcher_count(b, wm_batcher_route_of(b, op->partition), op, -1);
        wm_batcher_refresh_ready(b, op->partition);
        s->taken(s->user, at);
    }
}

void wm_batcher_sift(wm_batcher *b, bool (*leaves)(void *user, uint32_t op), void (*taken)(void *user, uint32_t op),
                     void *user)
{
    sieve s = {leaves, taken, user};
    wm_batcher_move_rerouted(b);
    for (uint32_t i = 0; i < b->partition_count; i++)
        sift(b, &b->partitions[i].head, &b->partitions[i].tail, true, &s);
    for (uint32_t i = 0; i < b->connection_count; i++) sift(b, &b->connections[i].send_head, &b->connections[i].send_tail, false, &s);
}

void wm_batcher_settle(wm_batcher *b, uint32_t index)
{
    const wm_op *op = wm_oplog_at(b->log, index);
    uint32_t id = op->partition;
    if (op->follows && !op->is_followed && b->hooks.settles_out_of_order) b->hooks.settles_out_of_order(b->hooks.user, index);
    bool is_followed = op->is_followed;
    wm_oplog_settle(b->log, index);
    if (is_followed) wm_batcher_refresh_ready(b, id);
}

static uint32_t older(const wm_batcher *b, uint32_t a, uint32_t c)
{
    if (a == WM_NO_OP || c == WM_NO_OP) return a == WM_NO_OP ? c : a;
    return wm_oplog_at(b->log, a)->seq < wm_oplog_at(b->log, c)->seq ? a : c;
}

uint32_t wm_batcher_oldest_pending(wm_batcher *b, int first, int last)
{
    wm_batcher_move_rerouted(b);
    uint32_t oldest = WM_NO_OP;
    for (uint32_t i = 0; i < b->partition_count; i++) {
        int route = wm_batcher_route_of(b, i);
        if (route >= first && route <= last) oldest = older(b, oldest, b->partitions[i].head);
    }
    for (int i = first < 0 ? 0 : first; i <= last && i < (int)b->connection_count; i++)
        oldest = older(b, oldest, b->connections[i].send_head);
    return oldest;
}

/* -- newly held operations, for a warning once a tick ----------------------------------- */

static bool is_held(wm_batcher *b, const wm_op *op)
{
    return op->state == WM_OP_PENDING && wm_batcher_route_of(b, op->partition) == WM_NO_CONNECTION;
}

/* For partitions that lost their route: their operations were added before that. */
static void walk_all(wm_batcher *b, uint64_t after, void (*held)(void *user, const wm_op *op), void *user)
{
    uint32_t reported = 0;
    for (uint32_t i = 0; i < b->partition_count; i++) {
        const partition *p = &b->partitions[i];
        if (wm_batcher_route_of(b, i) != WM_NO_CONNECTION || p->tail == WM_NO_OP) continue;
        if (wm_oplog_at(b->log, p->tail)->seq <= after) continue; /* a queue is in order */
        for (uint32_t at = p->head; at != WM_NO_OP; at = *wm_oplog_next(b->log, at)) {
            const wm_op *op = wm_oplog_at(b->log, at);
            if (op->seq <= after) continue;
            if (reported++ == WM_NEWLY_HELD_MAX) return;
            held(user, op);
        }
    }
}

void wm_batcher_newly_held(wm_batcher *b, uint64_t after, void (*held)(void *user, const wm_op *op), void *user)
{
    wm_batcher_move_rerouted(b);
    uint32_t count = b->newly_held_count;
    bool all = b->has_lost_routes;
    b->newly_held_count = 0;
    b->has_lost_routes = false;
    if (all) {
        walk_all(b, after, held, user);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const wm_op *op = wm_oplog_at(b->log, b->newly_held[i]); /* or another that took its place */
        if (op->seq > after && is_held(b, op)) held(user, op);
    }
}
