#include "sim/server/writes.h"

#include <string.h>

#include "sim/model/placement.h"
#include "sim/model/subscription.h"
#include "sim/server/live.h"
#include "sim/session/dialect.h"
#include "sim/session/reply.h"
#include "sim/session/session.h"
#include "sim/wire/alloc.h"
#include "sim/wire/compare.h"

static uint32_t hash_key(const sim_node *n, const sim_op *op)
{
    return wm_hash(n->store.hash, op->key.p, op->key.len);
}

uint32_t sim_write_partition(const sim_node *n, const sim_op *op)
{
    return sim_partition_of(n->cluster, hash_key(n, op));
}

/* The operations of the batch in the cluster's scratch array; -1 when one of
 * them, or the batch itself, does not fit the schema. */
static int64_t read_ops(sim_cluster *c, const wm_message *m)
{
    const uint8_t *field;
    size_t len;
    wm_mp_item list;
    wm_mp_reader r;
    if (m->payload == NULL) return -1;
    wm_mp_find(m->payload, m->payload_len, "ops", &field, &len);
    list = sim_item_of(field, len);
    if (list.kind != WM_MP_ARRAY) return -1;
    c->ops = sim_grow(c->ops, &c->ops_cap, list.count, sizeof *c->ops);
    wm_mp_reader_init(&r, field, len);
    wm_mp_read(&r, &list);
    for (uint32_t i = 0; i < list.count; i++)
        if (!sim_op_read(c->family, &r, &c->ops[i])) return -1;
    return list.count;
}

/* The rate limit of v2: the frame is dropped. */
static bool too_fast(sim_session *s, double cost)
{
    if (sim_session_spend(s, cost)) return false;
    sim_reply_error(s, 429, "rate limit exceeded", false);
    return true;
}

static void count_op(const sim_session *s, const sim_op *op, bool refused)
{
    sim_node *n = s->node;
    sim_arrival arrival = {
        .id = op->id,
        .key = op->key,
        .writer = op->node,
        .millis = op->millis,
        .counter = op->counter,
        .session = s->number,
        .foreign = !sim_node_owns(n, sim_write_partition(n, op)),
        .refused = refused,
    };
    n->stats.foreign_ops += arrival.foreign;
    sim_stats_received(&n->stats, &arrival);
}

/* -- poison messages -- */

static bool has_poison(const sim_faults *f, const sim_op *ops, uint32_t count)
{
    if (f->poison == SIM_POISON_NONE) return false;
    for (uint32_t i = 0; i < count; i++)
        if (memmem(ops[i].key.p, ops[i].key.len, f->poison_key, strlen(f->poison_key)) != NULL) return true;
    return false;
}

static void drop_late(void *owner, const uint8_t *bytes, size_t len)
{
    sim_session *s = owner;
    (void)bytes;
    (void)len;
    s->transport->drop(s->transport_data, false);
}

/* In place of an answer to a batch that holds a poison message. */
static void act_poisoned(sim_session *s)
{
    const sim_faults *f = &s->node->faults;
    if (f->poison == SIM_POISON_REFUSED) sim_reply_error(s, 500, f->poison_words, false);
    if (f->poison != SIM_POISON_CUT) return;
    s->closing = true;
    sim_delay_call(&s->delays, 0, drop_late, s, NULL, 0);
}

/* Which of the operations a node takes that may be full: they come first in the scratch array then. Sets
 * their number. */
static sim_admission admit(sim_node *n, uint32_t *count)
{
    sim_admission result = SIM_ADMITTED;
    sim_op *ops = n->cluster->ops;
    uv_update_time(n->cluster->loop);
    uint64_t now_us = uv_now(n->cluster->loop) * 1000;
    uint32_t taken = 0;
    sim_backlog_begin(&n->backlog, &n->faults, now_us);
    for (uint32_t i = 0; i < *count; i++) {
        sim_admission one = sim_backlog_take(&n->backlog, &n->faults, sim_write_partition(n, &ops[i]));
        if (one == SIM_ADMITTED) ops[taken++] = ops[i];
        else result = one;
    }
    sim_backlog_end(&n->backlog, &n->faults, now_us);
    *count = taken;
    n->stats.overloads += result != SIM_ADMITTED;
    return result;
}

/* Handles a batch that no fault refuses. */
static void write_batch(sim_session *s, uint32_t count)
{
    sim_node *n = s->node;
    sim_admission admission = admit(n, &count);
    n->cluster->dialect->write_batch(s, n->cluster->ops, count, admission);
    n->backlog.done_ms = 0;
}

bool sim_on_op_batch(sim_session *s, const wm_message *m)
{
    sim_cluster *c = s->node->cluster;
    int64_t count = read_ops(c, m);
    if (count < 0) return false;
    if (too_fast(s, count > 0 ? (double)count : 1)) return true;
    sim_stats_batch(&s->node->stats, (uint32_t)count);
    if (c->options->sink) {
        if (count > 0) sim_reply_ack(s, c->ops[count - 1].id, c->options->is_0_11 ? NULL : "APPLIED");
        return true;
    }
    bool is_poisoned = has_poison(&s->node->faults, c->ops, (uint32_t)count);
    for (int64_t i = 0; i < count; i++) count_op(s, &c->ops[i], is_poisoned || s->node->faults.errors_left > 0);
    if (is_poisoned) {
        act_poisoned(s);
        return true;
    }
    if (!sim_reply_batch_error(s, c->ops, (uint32_t)count)) write_batch(s, (uint32_t)count);
    return true;
}

bool sim_on_client_op(sim_session *s, const wm_message *m)
{
    sim_op op;
    wm_mp_reader r;
    if (m->payload == NULL) return false;
    wm_mp_reader_init(&r, m->payload, m->payload_len);
    if (!sim_op_read(s->node->cluster->family, &r, &op)) return false;
    if (too_fast(s, 1)) return true;
    s->node->stats.client_ops++;
    count_op(s, &op, false);
    s->node->cluster->dialect->client_op(s, &op);
    return true;
}

static void keep_backup(sim_node *n, const sim_name *map, const sim_write *w)
{
    sim_cluster *c = n->cluster;
    uint16_t backup = c->backups[sim_partition_of(c, w->key_hash)];
    if (!c->dialect->replicates || backup == SIM_NO_NODE || backup == n->index) return;
    if (c->nodes[backup]->running) sim_placement_copy(c->nodes[backup], map, w);
}

sim_effect sim_write_merge(sim_node *n, const sim_op *op, const sim_session *writer, uint64_t millis,
                           uint64_t counter, const sim_name *node)
{
    sim_cluster *c = n->cluster;
    const sim_name *name = sim_names_get(&c->names, op->map.p, op->map.len);
    sim_map *map = sim_store_map(&n->store, name, op->is_or ? SIM_MAP_OR : SIM_MAP_LWW);
    if ((map->kind == SIM_MAP_OR) != op->is_or) return SIM_WRONG_KIND;
    if (op->is_or || !op->has_record) return SIM_NO_RECORD;

    sim_write w = {
        .key = op->key.p,
        .key_len = op->key.len,
        .key_hash = hash_key(n, op),
        .value = op->value,
        .value_len = op->value_len,
        .millis = millis,
        .counter = counter,
        .node = node,
        .ttl_ms = op->ttl_ms,
    };
    sim_record *r = sim_map_find(map, w.key_hash, w.key, w.key_len);
    if (!sim_record_loses(r, millis, counter, node)) return SIM_UNCHANGED;
    sim_subscription *listeners = sim_subscribers(c->subscriptions, name);
    if (listeners != NULL) sim_live_before(listeners, r);
    sim_map_put(&n->store, map, r, &w);
    keep_backup(n, name, &w);
    if (listeners != NULL) sim_live_after(n, listeners, op, writer);
    return SIM_CHANGED;
}

void sim_write_remove(sim_node *n, const sim_op *op, const sim_session *writer)
{
    static const uint8_t nil = 0xc0;
    sim_cluster *c = n->cluster;
    const sim_name *name = sim_names_get(&c->names, op->map.p, op->map.len);
    sim_map *map = sim_store_map(&n->store, name, SIM_MAP_LWW);
    sim_record *r = sim_map_find(map, hash_key(n, op), op->key.p, op->key.len);
    sim_subscription *listeners = sim_subscribers(c->subscriptions, name);
    sim_op gone = *op;
    gone.value = &nil;
    gone.value_len = 1;
    if (listeners != NULL) sim_live_before(listeners, r);
    if (r != NULL) sim_map_remove(map, r);
    if (listeners != NULL) sim_live_after(n, listeners, &gone, writer);
}
