/* Bisects failed batches for poison messages: groups and their trials. The design is in batcher.h. */
#include "oplog/batcher_state.h"

#include <string.h>

#include "base/status.h"

/* With more groups than this, a group is halved only if something that was sent after its trial has
 * been acknowledged. So a server that is broken for a while leaves few groups, which are soon sent
 * again once it works. */
#define GROUPS_UNPROVEN 32u
/* A trial of several operations of an unanswered batch has this fraction of ack_timeout: the first wait
 * and sixteen halvings take three times ack_timeout. */
#define PART_OF_TIMEOUT 8u
/* The first wait before another trial of an operation that failed alone. Each failure doubles the wait,
 * and the deadline of the trial. */
#define WAIT_FIRST_US 50000u
#define WAIT_DOUBLINGS 5u
/* When a group of which no operation may be sent is tried again. */
#define LOOK_AGAIN_US 10000u

static bool is_condemned(const batch *g)
{
    return g->proofs >= WM_POISON_PROOFS;
}

/* Whether the group's trial must be in flight alone: errors and the end of a connection do not name a
 * batch. */
static bool is_tried_alone(const batch *g)
{
    return g->fault != WM_FAULT_UNANSWERED;
}

/* -- the groups -------------------------------------------------------------------- */

static void append_group(wm_batcher *b, batch *g)
{
    g->next = NULL;
    g->is_trial = false;
    if (b->aside_newest == NULL) b->aside_oldest = g;
    else b->aside_newest->next = g;
    b->aside_newest = g;
    b->groups++;
}

static void unlink_group(wm_batcher *b, batch *g)
{
    batch *previous = NULL;
    for (batch *at = b->aside_oldest; at != g; at = at->next) previous = at;
    if (previous == NULL) b->aside_oldest = g->next;
    else previous->next = g->next;
    if (b->aside_newest == g) b->aside_newest = previous;
    b->groups--;
}

static void set_aside(wm_batcher *b, int id, uint32_t index)
{
    wm_op *op = wm_oplog_at(b->log, index);
    wm_batcher_next_attempt(b, id, index);
    op->state = WM_OP_ASIDE;
    b->aside++;
    if (b->hooks.returned) b->hooks.returned(b->hooks.user, id, index);
    wm_batcher_refresh_ready(b, op->partition); /* what follows it has to wait now */
}

/* Makes a group of the operations of a batch that was removed from those in flight. */
static void make_group(wm_batcher *b, int id, batch *t)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t index = t->ops[i];
        if (index == WM_NO_OP) continue;
        t->ops[count++] = index;
        set_aside(b, id, index);
    }
    t->count = t->live = count;
    if (count > 0) append_group(b, t);
    else wm_batcher_keep_spare(b, t);
}

void wm_batcher_return_trial(wm_batcher *b, int id, batch *t)
{
    make_group(b, id, t);
}

/* Forgets which batch the group was, as a part of it is sent again. A late acknowledgement of that batch
 * would mean that the rest is stored, but not that it was stored last. */
static void forget_batch_id(batch *g)
{
    memset(g->last_id, 0, sizeof g->last_id);
}

/* Makes a group of its own of the newer half, which is tried after the older one. */
static void halve(wm_batcher *b, batch *g)
{
    uint32_t older = (g->count + 1) / 2;
    batch *half = wm_batcher_new_batch(b, g->count - older);
    if (half == NULL) return; /* out of memory: the whole group is tried again */
    half->count = half->live = g->count - older;
    memcpy(half->ops, g->ops + older, half->count * sizeof *half->ops);
    half->fault = g->fault;
    half->failed_connection = g->failed_connection;
    g->count = g->live = older;
    g->failed_cut_us = g->attempts = 0;
    forget_batch_id(g);
    unlink_group(b, g);
    append_group(b, g);
    append_group(b, half);
}

/* -- failures ---------------------------------------------------------------------- */

/* Makes a group of a failed batch, which was removed from those in flight. */
static void fail(wm_batcher *b, int id, batch *t, wm_batch_fault fault, uint8_t proofs, uint64_t now_us)
{
    bool was_alone = t->live == 1 && (t->is_trial || fault == WM_FAULT_UNANSWERED);
    t->fault = (uint8_t)fault;
    t->failed_connection = id;
    t->failed_cut_us = t->times.cut_us;
    uint32_t doublings = t->attempts < WAIT_DOUBLINGS ? t->attempts : WAIT_DOUBLINGS;
    t->retry_us = was_alone && fault != WM_FAULT_UNANSWERED ? now_us + ((uint64_t)WAIT_FIRST_US << doublings) : now_us;
    if (t->attempts < UINT8_MAX) t->attempts++;
    if (was_alone && proofs > 0) {
        t->proofs = (uint8_t)(t->proofs + proofs);
        t->failed_cut_us = 0;
    }
    make_group(b, id, t);
}

static bool was_returned_before(const wm_batcher *b, const batch *t, uint8_t tries)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->ops[i] != WM_NO_OP && wm_oplog_at(b->log, t->ops[i])->tries >= tries) return true;
    return false;
}

uint32_t wm_batcher_fail_overdue(wm_batcher *b, int id, uint64_t before_us, uint64_t now_us, bool *was_trial)
{
    connection *c = &b->connections[id];
    uint32_t failed = 0;
    batch *previous = NULL;
    *was_trial = true;
    for (batch *t = c->oldest, *next; t != NULL; t = next) {
        next = t->next;
        if (t->deadline_us > now_us || t->times.cut_us >= before_us) {
            previous = t;
            continue;
        }
        *was_trial = *was_trial && t->is_trial;
        failed += t->live;
        wm_batcher_unlink(c, previous, t);
        fail(b, id, t, WM_FAULT_UNANSWERED, 1, now_us);
    }
    return failed;
}

void wm_batcher_fail_all(wm_batcher *b, int id, wm_batch_fault fault, uint8_t tries, uint8_t proofs, uint64_t now_us)
{
    connection *c = &b->connections[id];
    batch *previous = NULL;
    bool is_one = c->in_flight_batches == 1;
    for (batch *t = c->oldest, *next; t != NULL; t = next) {
        next = t->next;
        bool is_blamed = t->is_trial && tries > 0 ? is_one : was_returned_before(b, t, tries);
        if (!is_blamed) {
            previous = t;
            continue;
        }
        wm_batcher_unlink(c, previous, t);
        if (is_one || fault == WM_FAULT_REFUSED || t->live > 1) {
            fail(b, id, t, fault, proofs, now_us);
        } else { /* another batch may have caused it */
            t->fault = (uint8_t)fault;
            make_group(b, id, t);
        }
    }
}

/* Makes a group of the operations of a batch that may be refused; the others are pending again. */
static void take_apart(wm_batcher *b, int id, batch *t, const wm_batch_refusal *r, bool is_certain, uint64_t now_us)
{
    batch *rest = wm_batcher_new_batch(b, t->live);
    uint32_t count = 0, others = 0;
    if (rest == NULL) { /* out of memory: all of them become a group */
        fail(b, id, t, WM_FAULT_REFUSED, 0, now_us);
        return;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->ops[i] == WM_NO_OP) continue;
        if (r->is_refused(r->user, wm_oplog_at(b->log, t->ops[i]))) t->ops[count++] = t->ops[i];
        else rest->ops[others++] = t->ops[i];
    }
    t->count = t->live = count;
    if (others > 0) forget_batch_id(t);
    if (others == 0 && !r->all && t->is_trial) {
        fail(b, id, t, WM_FAULT_REFUSED, is_certain ? WM_POISON_PROOFS : 0, now_us);
    } else {
        t->proofs = r->all || (count == 1 && is_certain) ? WM_POISON_PROOFS : 0;
        t->fault = WM_FAULT_REFUSED;
        t->failed_connection = id;
        t->failed_cut_us = r->all ? 0 : t->times.cut_us;
        make_group(b, id, t);
    }
    for (uint32_t i = others; i-- > 0;) wm_batcher_return_op(b, id, rest->ops[i], now_us);
    wm_batcher_keep_spare(b, rest);
}

static bool holds_refused(const wm_batcher *b, const batch *t, const wm_batch_refusal *r)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->ops[i] != WM_NO_OP && r->is_refused(r->user, wm_oplog_at(b->log, t->ops[i]))) return true;
    return false;
}

uint32_t wm_batcher_refuse(wm_batcher *b, int id, const wm_batch_refusal *r, uint64_t now_us)
{
    connection *c = &b->connections[id];
    uint32_t found = 0, holders = 0;
    for (const batch *t = c->oldest; t != NULL; t = t->next) holders += holds_refused(b, t, r);
    bool is_certain = r->count >= holders; /* else one of the batches may have failed for another reason */
    batch *previous = NULL;
    for (batch *t = c->oldest, *next; t != NULL; t = next) {
        next = t->next;
        if (!holds_refused(b, t, r)) {
            previous = t;
            continue;
        }
        wm_batcher_unlink(c, previous, t);
        take_apart(b, id, t, r, is_certain, now_us);
        found++;
    }
    return found;
}

/* How long a trial may take: longer after each failure that did not count. */
static uint64_t patience_us(const wm_batcher *b, const batch *t)
{
    uint32_t in_vain = t->attempts > t->proofs ? t->attempts - t->proofs : 0;
    uint64_t first = b->limits.ack_timeout_us / (t->count > 1 && !is_tried_alone(t) ? PART_OF_TIMEOUT : 1);
    return first << (in_vain < WAIT_DOUBLINGS ? in_vain : WAIT_DOUBLINGS);
}

/* A batch may have been set aside wrongly: errors name no batch, and a server may be slow with a single
 * operation. */
uint32_t wm_batcher_ack_late(wm_batcher *b, int id, const char *last_id, size_t len)
{
    if (len != WM_OP_ID_LEN) return 0;
    batch *t = b->connections[id].trial;
    if (t != NULL && memcmp(t->earlier_id, last_id, len) == 0) { /* the trial is a second copy: wait for its acknowledgement */
        memset(t->earlier_id, 0, sizeof t->earlier_id);
        t->proofs = 0;
        t->deadline_us += patience_us(b, t);
        return 0;
    }
    batch *g = b->aside_oldest;
    while (g != NULL && memcmp(g->last_id, last_id, len) != 0) g = g->next;
    if (g == NULL) return 0;
    unlink_group(b, g);
    b->aside -= g->count;
    if (b->hooks.acked) b->hooks.acked(b->hooks.user, id, g->ops, g->count, &g->times);
    for (uint32_t i = 0; i < g->count; i++) wm_batcher_settle(b, g->ops[i]);
    uint32_t settled = g->count;
    wm_batcher_keep_spare(b, g);
    return settled;
}

void wm_batcher_confirm_failures(wm_batcher *b, int id)
{
    for (batch *g = b->aside_oldest; g != NULL; g = g->next) {
        if (g->count > 1 || g->failed_cut_us == 0 || g->failed_connection != id) continue;
        if (g->failed_cut_us >= b->connections[id].acked_cut_us) continue;
        g->failed_cut_us = 0;
        g->proofs++;
    }
}

/* -- trials ------------------------------------------------------------------------ */

/* Whether the group failed and may be halved: see GROUPS_UNPROVEN. */
static bool is_to_be_halved(const wm_batcher *b, const batch *g)
{
    if (g->count < 2 || g->failed_cut_us == 0) return false;
    return b->groups < GROUPS_UNPROVEN || b->connections[g->failed_connection].acked_cut_us > g->failed_cut_us;
}

static int connection_of(const wm_batcher *b, uint32_t index)
{
    return wm_batcher_route_of(b, wm_oplog_at(b->log, index)->partition);
}

/* The group to be tried next on a connection. Single operations come last: their trials take the
 * longest. */
static batch *due_group(const wm_batcher *b, int id, uint64_t now_us)
{
    batch *single = NULL;
    for (batch *g = b->aside_oldest; g != NULL; g = g->next) {
        if (is_condemned(g) || g->retry_us > now_us || connection_of(b, g->ops[0]) != id) continue;
        if (g->count > 1) return g;
        if (single == NULL) single = g;
    }
    return single;
}

wm_trial_state wm_batcher_trial_state(wm_batcher *b, int id, uint64_t now_us)
{
    wm_batcher_move_rerouted(b);
    connection *c = &b->connections[id];
    if (c->trial != NULL) return is_tried_alone(c->trial) ? WM_TRIAL_ALONE : WM_TRIAL_NONE;
    if (c->is_closed) return WM_TRIAL_ALONE;
    if (c->others_first && (c->ready != NO_PARTITION || c->send_head != WM_NO_OP)) return WM_TRIAL_NONE;
    const batch *g = due_group(b, id, now_us);
    if (g == NULL) return WM_TRIAL_NONE;
    if (is_tried_alone(g)) return c->in_flight_batches > 0 ? WM_TRIAL_ALONE : WM_TRIAL_DUE;
    return c->in_flight_batches < b->limits.max_in_flight ? WM_TRIAL_DUE : WM_TRIAL_NONE;
}

/* Moves the operations that may be sent now from a group to a batch. Returns their bytes. */
static size_t choose_from_group(wm_batcher *b, int id, batch *g, batch *t)
{
    size_t bytes = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        uint32_t index = g->ops[i];
        wm_op *op = wm_oplog_at(b->log, index);
        if (connection_of(b, index) == id && wm_batcher_may_join(b, &b->connections[id], index)) {
            op->state = WM_OP_JOINING;
            bytes += op->len;
            t->ops[t->count++] = index;
        } else {
            g->ops[kept++] = index;
        }
    }
    g->count = g->live = kept;
    return bytes;
}

/* Moves the operations of a trial that is not sent back to their group. */
static void undo(wm_batcher *b, batch *g, batch *t)
{
    for (uint32_t i = 0; i < t->count; i++) wm_oplog_at(b->log, t->ops[i])->state = WM_OP_ASIDE;
    memmove(g->ops + t->count, g->ops, g->count * sizeof *g->ops);
    memcpy(g->ops, t->ops, t->count * sizeof *g->ops);
    g->count = g->live = g->count + t->count;
    wm_batcher_keep_spare(b, t);
}

/* The next group of which operations may be sent; `t` has these, `bytes` long. NULL when there is no such
 * group, or out of memory: nothing changed. */
static batch *choose_group(wm_batcher *b, int id, batch **t, size_t *bytes, uint64_t now_us)
{
    for (uint32_t left = b->groups; left > 0; left--) {
        batch *g = due_group(b, id, now_us);
        if (g == NULL) return NULL;
        if (is_to_be_halved(b, g)) halve(b, g);
        *t = wm_batcher_new_batch(b, g->count);
        if (*t == NULL) return NULL;
        *bytes = choose_from_group(b, id, g, *t);
        if ((*t)->count > 0) return g;
        wm_batcher_keep_spare(b, *t);
        g->retry_us = now_us + LOOK_AGAIN_US; /* the operations that they follow are in another group */
        unlink_group(b, g);
        append_group(b, g);
    }
    return NULL;
}

int wm_batcher_take_trial(wm_batcher *b, int id, wm_buffer *frame, uint64_t now_us)
{
    batch *t = NULL;
    size_t bytes;
    batch *g = choose_group(b, id, &t, &bytes, now_us);
    if (g == NULL) return 0;
    t->is_trial = true;
    t->fault = g->fault;
    t->attempts = g->attempts;
    t->proofs = g->proofs;
    t->failed_connection = g->failed_connection;
    memcpy(t->earlier_id, g->last_id, sizeof t->earlier_id);
    if (!wm_batcher_send(b, id, t, bytes, frame, now_us)) {
        undo(b, g, t);
        return WM_ENOMEM;
    }
    b->aside -= t->count;
    b->connections[id].trial = t;
    t->deadline_us = now_us + patience_us(b, t);
    for (uint32_t i = 0; i < t->count; i++) wm_batcher_refresh_ready(b, wm_oplog_at(b->log, t->ops[i])->partition);
    forget_batch_id(g);
    if (g->count == 0) {
        unlink_group(b, g);
        wm_batcher_keep_spare(b, g);
    }
    return (int)t->count;
}

/* -- for the client ------------------------------------------------------------ */

bool wm_batcher_next_poison(const wm_batcher *b, wm_poison *out)
{
    for (const batch *g = b->aside_oldest; g != NULL; g = g->next) {
        if (!is_condemned(g)) continue;
        *out = (wm_poison){.op = g->ops[g->count - 1], .connection = g->failed_connection, .fault = (wm_batch_fault)g->fault};
        return true;
    }
    return false;
}

bool wm_batcher_remove_aside(wm_batcher *b, uint32_t index)
{
    for (batch *g = b->aside_oldest; g != NULL; g = g->next) {
        for (uint32_t i = g->count; i-- > 0;) {
            if (g->ops[i] != index) continue;
            memmove(g->ops + i, g->ops + i + 1, (g->count - i - 1) * sizeof *g->ops);
            g->live = --g->count;
            b->aside--;
            if (g->count > 0) return true;
            unlink_group(b, g);
            wm_batcher_keep_spare(b, g);
            return true;
        }
    }
    return false;
}

uint64_t wm_batcher_trial_cut_us(const wm_batcher *b, int id)
{
    const batch *t = b->connections[id].trial;
    return t == NULL ? 0 : t->times.cut_us;
}

bool wm_batcher_tries_alone(const wm_batcher *b, int id)
{
    const batch *t = b->connections[id].trial;
    return t != NULL && is_tried_alone(t) && b->connections[id].in_flight_batches == 1;
}

uint32_t wm_batcher_aside(const wm_batcher *b)
{
    return b->aside;
}
