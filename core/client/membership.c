/* Repeats of writes around a membership change of a 0.11 cluster. Its nodes update their partition maps
 * up to 150 ms apart. A node that is not the owner by its own map acknowledges a batch and stores
 * nothing; and a node that dies takes with it what no backup has yet. So writes that were acknowledged
 * shortly before a change are sent again with their old timestamps, once the nodes agree. The last write
 * wins, so a second copy of a write changes nothing. */
#include "base/status.h"
#include "client/state.h"

/* Writes that were acknowledged within this time before a change may be lost: a backup has a record after
 * at most 0.6 s, and the client notices a change later than the nodes do. */
#define BEFORE_US 1300000u
/* Time after which all nodes have noticed a change. */
#define AFTER_US 300000u
/* Further changes delay the repeats by at most this. */
#define AFTER_MAX_US 2000000u
/* Time for which the acknowledgements of a lost node are kept, at most, until the change that follows. */
#define LOSS_MAX_US (WM_RECENT_ACKS_SPAN_US - BEFORE_US)
/* A node sends its new map within 10 ms of the first write that it drops. So a write is safe if no map
 * came within this time of its acknowledgement. */
#define NEWS_US 50000u
/* Operations that are repeated in one iteration; they take some 500 us. */
#define OPS_PER_ITERATION 1000u
#define KEYS_NEAR 8u

static uint64_t before(uint64_t us, uint64_t span)
{
    return us > span ? us - span : 0;
}

/* -- what is kept --------------------------------------------------------------------- */

void wm_client_free_acks(wm_client *c)
{
    wm_recent_acks_free(c->membership.acks);
    wm_recent_acks_free(c->membership.late_acks);
}

bool wm_client_keeps_acks(wm_client *c, size_t bytes)
{
    if (bytes == 0) return true;
    wm_membership *m = &c->membership;
    m->acks = wm_recent_acks_new(bytes);
    m->late_acks = wm_recent_acks_new(bytes);
    if (m->acks != NULL && m->late_acks != NULL) return true;
    wm_client_free_acks(c);
    m->acks = m->late_acks = NULL;
    return false;
}

/* Whether a write that was sent at `sent_us` may have reached a node before that noticed the last change.
 * A busy node acknowledges late. */
static bool is_late(const wm_client *c, uint64_t sent_us)
{
    return sent_us < c->membership.agreed_us;
}

/* Whether the cluster has members that can change. */
static bool is_of_several(const wm_client *c)
{
    const wm_partition_map *map = wm_map_chooser_map(c->chooser);
    return map != NULL && map->node_count >= 2;
}

void wm_client_keep_acked(wm_client *c, const uint32_t *ops, uint32_t count, uint64_t sent_us)
{
    wm_recent_acks *into = is_late(c, sent_us) ? c->membership.late_acks : c->membership.acks;
    bool is_retained = wm_oplog_retains(c->log) && is_of_several(c);
    for (uint32_t i = 0; i < count; i++) {
        if (i + KEYS_NEAR < count && ops[i + KEYS_NEAR] != WM_NO_OP)
            __builtin_prefetch(wm_oplog_at(c->log, ops[i + KEYS_NEAR])->span.bytes);
        if (ops[i] == WM_NO_OP) continue;
        const wm_op *op = wm_oplog_at(c->log, ops[i]);
        wm_recent_acks_add(into, c->now_us, op->template, wm_op_key(op), op->key_len);
        if (is_retained) wm_oplog_retain(c->log, ops[i], c->now_us);
    }
}

void wm_client_keep_loaded(wm_client *c, uint32_t index)
{
    wm_membership *m = &c->membership;
    if (m->acks != NULL) { /* else nothing is repeated */
        const wm_op *op = wm_oplog_at(c->log, index);
        wm_recent_acks_add(m->acks, c->now_us, op->template, wm_op_key(op), op->key_len);
        wm_oplog_retain(c->log, index, c->now_us);
        m->is_open = m->has_loaded = true;
    }
    wm_batcher_settle(c->batcher, index);
}

/* The time of the oldest acknowledgement that is in doubt if a change is noticed now. */
static uint64_t horizon(const wm_client *c)
{
    const wm_membership *m = &c->membership;
    bool loss_counts = m->lost_us != 0 && c->now_us - m->lost_us < LOSS_MAX_US;
    return before(loss_counts ? m->lost_us : c->now_us, BEFORE_US);
}

void wm_client_node_lost(wm_client *c)
{
    wm_membership *m = &c->membership;
    if (m->lost_us == 0 || c->now_us - m->lost_us >= LOSS_MAX_US) m->lost_us = c->now_us;
}

/* -- a change, and what is sent again --------------------------------------------------- */

static void open_window(wm_client *c)
{
    wm_membership *m = &c->membership;
    uint64_t from = horizon(c);
    if (!m->is_open) {
        m->is_open = true;
        m->from_us = from;
        m->opened_us = c->now_us;
    }
    if (from < m->from_us) m->from_us = from;
    m->lost_us = 0;
    m->due_us = c->now_us + AFTER_US;
    if (m->due_us > m->opened_us + AFTER_MAX_US) m->due_us = m->opened_us + AFTER_MAX_US;
}

void wm_client_membership_changed(wm_client *c)
{
    if (c->membership.acks == NULL) return;
    if (c->membership.until_us != 0) c->membership.changed_again_us = c->now_us;
    else open_window(c);
}

static void count_unverified(wm_client *c, uint64_t count)
{
    if (count == 0) return;
    c->figures.stats.ops_unverified += count;
    wm_client_event(c, (wm_event){.type = WM_EVENT_UNVERIFIED, .a = (int64_t)count}, NULL, 0);
}

static void report_pushed_out(wm_client *c, wm_recent_acks *acks, uint64_t from_us)
{
    count_unverified(c, wm_recent_acks_take_pushed_out(acks, from_us));
}

static void close_window(wm_client *c)
{
    wm_membership *m = &c->membership;
    uint64_t again_us = m->changed_again_us, now_us = c->now_us;
    report_pushed_out(c, m->acks, m->from_us);
    m->is_open = false;
    m->until_us = m->changed_again_us = 0;
    if (again_us == 0) return;
    c->now_us = again_us; /* the time of that change */
    open_window(c);
    c->now_us = now_us;
}

/* Repeats one write. False when there is no room for it now. */
static bool send_again(wm_client *c, const wm_recent_ack *ack)
{
    int result = wm_client_repeat(c, ack->template, ack->key, ack->key_len);
    if (result == WM_EFULL || result == WM_ENODE || result == WM_ENOMEM) return false;
    if (result < 0) count_unverified(c, 1);
    if (result == WM_OK) {
        c->figures.stats.ops_repeated++;
        c->membership.last_repeat = wm_oplog_last_seq(c->log);
    }
    return true;
}

/* Repeats at most `most` writes that were acknowledged from `from_us` to `until_us`. True when none of
 * them is left. */
static bool send_from(wm_client *c, wm_recent_acks *acks, uint64_t from_us, uint64_t until_us, uint32_t most)
{
    wm_recent_ack ack;
    for (uint32_t i = 0; i < most; i++) {
        if (!wm_recent_acks_oldest(acks, &ack) || ack.acked_us > until_us) return true;
        if (ack.acked_us >= from_us && !send_again(c, &ack)) return false;
        wm_recent_acks_pop(acks);
    }
    return false;
}

static void send_late(wm_client *c)
{
    wm_membership *m = &c->membership;
    if (send_from(c, m->late_acks, 0, c->now_us, OPS_PER_ITERATION)) report_pushed_out(c, m->late_acks, 0);
}

/* Acknowledged writes from the op log's file: the process before may have died during a change, so they
 * are repeated as after one; but not to a v2 server, which would take the old values for new ones. False
 * while the server family is not known. */
static bool judge_loaded(wm_client *c)
{
    wm_membership *m = &c->membership;
    if (c->rules.family == WM_DIALECT_UNKNOWN) return false;
    m->is_open = m->has_loaded = false;
    if (c->rules.family == WM_DIALECT_V2) {
        wm_recent_acks_forget(m->acks, UINT64_MAX);
        wm_oplog_release(c->log, UINT64_MAX);
        return true;
    }
    open_window(c);
    m->from_us = 0;
    return true;
}

void wm_client_check_membership(wm_client *c)
{
    wm_membership *m = &c->membership;
    if (m->acks == NULL || (m->has_loaded && !judge_loaded(c))) return;
    if (!m->is_open) {
        wm_recent_acks_forget(m->acks, horizon(c));
        wm_oplog_release(c->log, horizon(c));
        send_late(c);
        return;
    }
    if (c->now_us < m->due_us) return;
    if (m->until_us == 0) m->until_us = m->agreed_us = c->now_us;
    if (send_from(c, m->acks, m->from_us, m->until_us, OPS_PER_ITERATION)) close_window(c);
}

/* Whether repeats are pending. True also for other operations that were recorded next to the last
 * repeat. */
static bool has_pending_repeats(const wm_client *c)
{
    uint64_t last = c->membership.last_repeat;
    return last != 0 && wm_oplog_count(c->log) > 0 && wm_oplog_reaches_back(c->log, (uint32_t)last);
}

static wm_membership_state state_of(const wm_client *c)
{
    const wm_membership *m = &c->membership;
    if (m->acks == NULL) return WM_MEMBERSHIP_CALM;
    if (m->has_loaded && c->rules.family == WM_DIALECT_UNKNOWN) return WM_MEMBERSHIP_CALM; /* waiting would not help */
    bool has_late = wm_recent_acks_count(m->late_acks) > 0;
    if (m->is_open || has_late || has_pending_repeats(c)) return WM_MEMBERSHIP_CHANGED;
    if (!is_of_several(c)) return WM_MEMBERSHIP_CALM;
    return wm_now_us() < wm_recent_acks_newest_us(m->acks) + NEWS_US ? WM_MEMBERSHIP_FRESH : WM_MEMBERSHIP_CALM;
}

uint64_t wm_client_unverified(const wm_client *c, wm_membership_state *state)
{
    const wm_membership *m = &c->membership;
    *state = state_of(c);
    if (m->is_given_up) return 0;
    if (*state == WM_MEMBERSHIP_CALM) return 0; /* those from the file are still there */
    return wm_recent_acks_count(m->late_acks) + (m->is_open ? wm_recent_acks_count(m->acks) : 0);
}

uint64_t wm_client_give_up_unverified(wm_client *c)
{
    wm_membership_state state;
    uint64_t count = wm_client_unverified(c, &state);
    c->figures.stats.ops_unverified += count;
    c->membership.is_given_up = true;
    return count;
}
