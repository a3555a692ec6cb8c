#include "fuzz/batcher_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"
#include "fuzz/require.h"

void model_name_key(char *out, uint32_t key)
{
    out[0] = 'k';
    out[1] = (char)('a' + key);
}

uint32_t model_partition_of(void *user, const char *key, size_t len)
{
    const fuzz *f = user;
    (void)len;
    return ((uint32_t)(key[1] - 'a') * 5 + f->salt) % f->routes.count;
}

static uint32_t partition_of_op(fuzz *f, const model_op *m)
{
    char key[2];
    model_name_key(key, m->key);
    return model_partition_of(f, key, 2);
}

model_op *model_by_index(fuzz *f, uint32_t index)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->ops[i].index == index && f->ops[i].place != GONE) return &f->ops[i];
    abort();
}

/* -- what the batcher reports ----------------------------------------------------------------- */

/* Older operations of its key that are not settled are in the same batch or, on a connection that
 * does not keep the order, the next older one has left: one before that may have come back,
 * and goes again by its own time. */
static void check_leaving(fuzz *f, int connection, const model_op *m, uint32_t batch)
{
    for (const model_op *o = m; o-- > f->ops;) {
        if (o->key != m->key || o->place == GONE) continue;
        REQUIRE(o->place == SENT);
        if (!f->serial[connection]) return;
        REQUIRE(o->batch == batch);
    }
}

static void on_routed(void *user, int connection, const uint32_t *ops, uint32_t count)
{
    fuzz *f = user;
    uint32_t batch = ++f->batch_count;
    model_batch *b = &f->batches[batch - 1];
    *b = (model_batch){.number = batch, .connection = connection};
    memcpy(b->last_id, wm_op_id(wm_oplog_at(f->log, ops[count - 1])), WM_OP_ID_LEN);
    for (uint32_t i = 0; i < count; i++) {
        model_op *m = model_by_index(f, ops[i]);
        REQUIRE((m->place == WAITS || m->place == ASIDE) && f->routes.all[partition_of_op(f, m)].connection == connection);
        check_leaving(f, connection, m, batch);
        m->place = SENT;
        m->connection = connection;
        m->batch = batch;
    }
}

static void on_acked(void *user, int connection, const uint32_t *ops, uint32_t count, const wm_batch_times *times)
{
    fuzz *f = user;
    (void)times;
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i] == WM_NO_OP) continue;
        model_op *m = model_by_index(f, ops[i]);
        REQUIRE(m->place == SENT && m->connection == connection);
        m->place = GONE;
    }
}

static void on_returned(void *user, int connection, uint32_t index)
{
    fuzz *f = user;
    model_op *m = model_by_index(f, index);
    REQUIRE(m->place == SENT && m->connection == connection);
    m->place = wm_oplog_at(f->log, index)->state == WM_OP_ASIDE ? ASIDE : WAITS;
}

static void on_settles_out_of_order(void *user, uint32_t index)
{
    fuzz *f = user;
    wm_record_store_catch_up(f->records);
    const wm_op *op = wm_oplog_at(f->log, index);
    if (!op->follows || op->is_followed) return;
    const char *key = wm_op_key(op);
    wm_record_store_rewind(f->records, wm_hash_fnv1a(key, 2), key, 2, index, wm_oplog_before(f->log, index));
}

wm_batcher_hooks model_hooks(fuzz *f)
{
    return (wm_batcher_hooks){f, on_acked, on_routed, on_returned, on_settles_out_of_order};
}

/* -- a choice among what is there ------------------------------------------------------------- */

model_batch *model_choose_batch(fuzz *f, uint8_t which)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < f->batch_count; i++) open += f->batches[i].number != 0;
    uint32_t wanted = open == 0 ? 0 : which % open;
    for (uint32_t i = 0; i < f->batch_count; i++)
        if (f->batches[i].number != 0 && wanted-- == 0) return &f->batches[i];
    return NULL;
}

model_op *model_choose_sent(fuzz *f, uint8_t which)
{
    uint32_t sent = 0;
    for (uint32_t i = 0; i < f->count; i++) sent += f->ops[i].place == SENT;
    uint32_t wanted = sent == 0 ? 0 : which % sent;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->ops[i].place == SENT && wanted-- == 0) return &f->ops[i];
    return NULL;
}

uint32_t model_oldest_waiting(fuzz *f, int first, int last)
{
    for (uint32_t i = 0; i < f->count; i++) {
        int route = f->routes.all[partition_of_op(f, &f->ops[i])].connection;
        if (f->ops[i].place == WAITS && route >= first && route <= last) return f->ops[i].index;
    }
    return WM_NO_OP;
}

uint32_t model_count_aside(const fuzz *f)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++) count += f->ops[i].place == ASIDE;
    return count;
}

uint32_t model_count_sent(const fuzz *f, uint32_t batch)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < f->count; i++) live += f->ops[i].place == SENT && f->ops[i].batch == batch;
    return live;
}

/* -- batches that end ------------------------------------------------------------------------- */

void model_end_batches(fuzz *f, int connection)
{
    for (uint32_t i = 0; i < f->batch_count; i++)
        if (f->batches[i].connection == connection) f->batches[i].number = 0;
}

void model_note_alone(fuzz *f, int connection)
{
    for (uint32_t i = 0; i < f->count; i++) {
        model_op *m = &f->ops[i];
        if (m->place == SENT && m->connection == connection && model_count_sent(f, m->batch) == 1) m->alone++;
    }
}

void model_end_failed(fuzz *f, int connection)
{
    for (uint32_t i = 0; i < f->batch_count; i++)
        if (f->batches[i].connection == connection && f->batches[i].number != 0 && model_count_sent(f, f->batches[i].number) == 0)
            f->batches[i].number = 0;
}

/* -- what holds ------------------------------------------------------------------------------- */

static bool follows(const fuzz *f, const model_op *m)
{
    for (const model_op *o = f->ops; o < m; o++)
        if (o->key == m->key && o->place != GONE) return true;
    return false;
}

void model_check_nothing_left(fuzz *f, int connection)
{
    bool blocked[PARTITIONS_MAX] = {0};
    for (uint32_t i = 0; i < f->count; i++) {
        const model_op *m = &f->ops[i];
        uint32_t partition = partition_of_op(f, m);
        if (m->place != WAITS || f->routes.all[partition].connection != connection) continue;
        blocked[partition] = blocked[partition] || follows(f, m);
        REQUIRE(blocked[partition]);
    }
}

void model_check_counts(fuzz *f)
{
    uint32_t waiting[CONNECTIONS] = {0}, sent[CONNECTIONS] = {0}, held = 0, all = 0;
    size_t waiting_bytes[CONNECTIONS] = {0}, held_bytes = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const model_op *m = &f->ops[i];
        if (m->place == GONE) continue;
        const wm_op *op = wm_oplog_at(f->log, m->index);
        all++;
        REQUIRE(op->seq == m->seq && op->state == (m->place == SENT ? WM_OP_IN_FLIGHT : (m->place == ASIDE ? WM_OP_ASIDE : WM_OP_PENDING)));
        if (m->place == ASIDE) continue;
        if (m->place == SENT) {
            sent[m->connection]++;
            continue;
        }
        int connection = f->routes.all[partition_of_op(f, m)].connection;
        if (connection == WM_NO_CONNECTION) {
            held++;
            held_bytes += op->len;
        } else {
            waiting[connection]++;
            waiting_bytes[connection] += op->len;
        }
    }
    REQUIRE(wm_oplog_count(f->log) == all && wm_batcher_aside(f->batcher) == model_count_aside(f));
    REQUIRE(wm_batcher_held(f->batcher) == held && wm_batcher_held_bytes(f->batcher) == held_bytes);
    for (int i = 0; i < CONNECTIONS; i++) {
        wm_connection_load load = wm_batcher_load(f->batcher, i);
        REQUIRE(load.pending_ops == waiting[i] && load.pending_bytes == waiting_bytes[i] && load.in_flight_ops == sent[i]);
        REQUIRE(load.in_flight_batches <= f->limits.max_in_flight);
    }
}

void model_check_backlog(fuzz *f, uint32_t partition, uint32_t nth)
{
    bool chosen[PARTITIONS_MAX] = {0}, expected = false;
    chosen[partition % f->routes.count] = true;
    uint64_t seq = f->count == 0 ? 0 : f->ops[nth % f->count].seq;
    for (uint32_t i = 0; i < f->count && f->ops[i].seq <= seq; i++)
        expected = expected || (f->ops[i].place != GONE && chosen[partition_of_op(f, &f->ops[i])]);
    REQUIRE(wm_batcher_has_backlog(f->batcher, chosen, seq) == expected);
}
