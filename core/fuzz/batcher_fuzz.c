/* A log, its records and its batcher, against a model: whatever is written, routed, sent,
 * acknowledged, returned, rejected and dropped, and in which order, each operation is in one
 * place, two of a key are never in two batches of a serial connection, a newer one never leaves
 * before an older one, and nothing that may leave stays. Batches fail, too: what is set aside
 * is tried apart, and an operation is taken for poison only after it failed alone.
 *
 * Input: five bytes (limits, which connections are serial, partitions), then steps of two bytes: what,
 * and with which key, connection, batch or partition. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"
#include "fuzz/batcher_model.h"
#include "fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* -- steps ---------------------------------------------------------------------------------- */

static uint32_t record(fuzz *f, const char *key, size_t value_len)
{
    uint8_t *to;
    size_t available, head = wm_op_kept_head(2);
    if (wm_oplog_is_full(f->log)) return WM_NO_OP;
    REQUIRE(wm_oplog_reserve(f->log, head + value_len, &to, &available) == WM_OK);
    wm_op_keep_head(to, f->ids.start, key, 2, &(wm_hlc){1000, 0});
    memset(to + head, 0xc0, value_len);
    uint32_t index = wm_oplog_commit(f->log, f->template, head + value_len, 2);
    REQUIRE(index != WM_NO_OP);
    wm_op_ids_advance(&f->ids);
    return index;
}

static void add(fuzz *f, uint32_t index, uint32_t key)
{
    wm_op *op = wm_oplog_at(f->log, index);
    f->ops[f->count++] = (model_op){.index = index, .key = key, .seq = op->seq, .place = WAITS};
    op->partition = model_partition_of(f, wm_op_key(op), 2);
    wm_batcher_add(f->batcher, index, f->now_us);
}

/* A write, some puts of which are not in the table at once, or a record sent again. */
static void write_key(fuzz *f, uint32_t key, uint8_t how)
{
    static const size_t lengths[] = {1, 40, 600};
    char name[2];
    model_name_key(name, key);
    uint32_t hash = wm_hash_fnv1a(name, 2);
    size_t value_len = lengths[how % 3];
    wm_record old;
    bool again = how >= 200 && wm_record_store_get(f->records, hash, name, 2, &old);
    uint32_t index = record(f, name, value_len);
    if (index == WM_NO_OP) return;
    const wm_op *op = wm_oplog_at(f->log, index);
    wm_record r = {
        .key = name,
        .key_len = 2,
        .value = op->span.bytes + wm_op_kept_head(2),
        .value_len = (uint32_t)value_len,
        .millis = 1000,
        .op = index,
    };
    if (again) wm_record_store_written(f->records, hash, name, 2, index);
    else REQUIRE(wm_record_store_put_soon(f->records, hash, &r) == WM_OK);
    add(f, index, key);
}

static bool is_newer(void *user, const wm_record *stored)
{
    (void)user;
    (void)stored;
    return true;
}

static void write_of_another(fuzz *f, uint32_t key)
{
    char name[2];
    model_name_key(name, key);
    wm_record r = {.key = name, .key_len = 2, .value = (const uint8_t *)"\xc3", .value_len = 1, .millis = 1001, .node = 1};
    REQUIRE(wm_record_store_merge(f->records, wm_hash_fnv1a(name, 2), &r, is_newer, NULL) == WM_OK);
}

static void take(fuzz *f, int connection)
{
    wm_buffer frame;
    wm_buffer_init(&frame);
    wm_record_store_catch_up(f->records);
    bool due = wm_batcher_has_due(f->batcher, connection, f->now_us);
    wm_connection_load load = wm_batcher_load(f->batcher, connection);
    bool fits = load.in_flight_batches < f->limits.max_in_flight;
    bool open = fits && (load.in_flight_batches == 0 || f->window[connection] == UINT32_MAX);
    bool is_searched = wm_batcher_trial_cut_us(f->batcher, connection) != 0 || model_count_aside(f) > 0;
    uint32_t before = f->batch_count;
    int taken = wm_batcher_take(f->batcher, connection, &frame, f->now_us);
    REQUIRE(taken >= 0 && (frame.len > 0) == (taken > 0) && f->batch_count == before + (taken > 0));
    bool is_windowed = !is_searched && load.in_flight_batches > 0;
    if (taken > 0) REQUIRE(due && fits && (uint32_t)taken <= f->limits.max_ops);
    if (taken > 0 && is_windowed) REQUIRE(load.in_flight_ops + (uint32_t)taken <= f->window[connection]);
    if (taken == 0 && open && !is_searched) model_check_nothing_left(f, connection);
    wm_buffer_close(&frame);
}

static void ack(fuzz *f, uint8_t which)
{
    model_batch *b = model_choose_batch(f, which);
    if (b == NULL) return;
    uint32_t in_flight = model_count_sent(f, b->number);
    REQUIRE(wm_batcher_ack(f->batcher, b->connection, b->last_id, WM_OP_ID_LEN) == in_flight);
    REQUIRE(wm_batcher_ack(f->batcher, b->connection, b->last_id, WM_OP_ID_LEN) == 0);
    b->number = 0;
}

static void reject(fuzz *f, uint8_t which)
{
    model_op *m = model_choose_sent(f, which);
    if (m == NULL) return;
    REQUIRE(wm_batcher_remove_in_flight(f->batcher, m->connection, m->index));
    wm_batcher_settle(f->batcher, m->index);
    m->place = GONE;
}

/* The batches of a key that is in several (on a connection that is not serial) come back as one, or
 * not at all: a server refuses an operation for what holds for all of its partition. */
static void return_one(fuzz *f, uint8_t which)
{
    model_op *m = model_choose_sent(f, which);
    if (m == NULL) return;
    for (uint32_t i = f->count; i-- > 0;) {
        const model_op *o = &f->ops[i];
        if (o->place == SENT && o->key == m->key)
            REQUIRE(wm_batcher_return_in_flight(f->batcher, o->connection, o->index, f->now_us));
    }
}

static void drop(fuzz *f, int first)
{
    wm_record_store_catch_up(f->records);
    uint32_t index = wm_batcher_oldest_pending(f->batcher, first, CONNECTIONS - 1);
    REQUIRE(index == model_oldest_waiting(f, first, CONNECTIONS - 1));
    if (index == WM_NO_OP) return;
    model_op *m = model_by_index(f, index);
    REQUIRE(wm_batcher_remove_pending(f->batcher, index) && !wm_batcher_remove_pending(f->batcher, index));
    wm_batcher_settle(f->batcher, index);
    m->place = GONE;
}

typedef struct sieve {
    fuzz *fuzz;
    uint32_t key; /* whose operations leave */
} sieve;

static bool has_the_key(void *user, uint32_t index)
{
    const sieve *s = user;
    const model_op *m = model_by_index(s->fuzz, index);
    REQUIRE(m->place == WAITS);
    return m->key == s->key;
}

static void settle_taken(void *user, uint32_t index)
{
    const sieve *s = user;
    model_op *m = model_by_index(s->fuzz, index);
    wm_batcher_settle(s->fuzz->batcher, index);
    m->place = GONE;
}

/* What waits of one key is taken out, and all of it. */
static void sift(fuzz *f, uint32_t key)
{
    sieve s = {f, key};
    wm_record_store_catch_up(f->records);
    wm_batcher_sift(f->batcher, has_the_key, settle_taken, &s);
    for (uint32_t i = 0; i < f->count; i++) REQUIRE(f->ops[i].place != WAITS || f->ops[i].key != key);
}

static void set_serial(fuzz *f, int connection, bool serial)
{
    if (wm_batcher_load(f->batcher, connection).in_flight_batches > 0) return; /* a new connection's */
    f->serial[connection] = serial;
    wm_batcher_set_serial(f->batcher, connection, serial);
}

static void set_window(fuzz *f, int connection, uint32_t ops)
{
    f->window[connection] = ops;
    wm_batcher_set_window(f->batcher, connection, ops % 5, ops);
}

/* -- batches that fail ---------------------------------------------------------------------- */

static bool is_refused(void *user, const wm_op *op)
{
    const uint32_t *kind = user;
    return wm_op_key(op)[1] % 4u == *kind;
}

static void refuse(fuzz *f, int connection, uint32_t kind, bool all)
{
    wm_batch_refusal refusal = {is_refused, &kind, all, 1};
    for (uint32_t i = 0; i < f->count; i++) {
        model_op *m = &f->ops[i];
        char key[2];
        model_name_key(key, m->key);
        if (m->place == SENT && m->connection == connection && (uint32_t)key[1] % 4u == kind) m->is_refused = true;
    }
    wm_batcher_refuse(f->batcher, connection, &refusal, f->now_us);
}

static void fail_some(fuzz *f, int connection, uint8_t how)
{
    static const wm_batch_fault faults[] = {WM_FAULT_REFUSED, WM_FAULT_UNREADABLE, WM_FAULT_CUT};
    bool was_trial;
    model_note_alone(f, connection);
    if (how % 8 < 3) wm_batcher_fail_all(f->batcher, connection, faults[how % 8], how & 8 ? 1 : 0, how & 16 ? 1 : 0, f->now_us);
    else if (how % 8 < 5) refuse(f, connection, how / 16 % 4, how % 8 == 3);
    else {
        if (how & 8) f->now_us += f->limits.ack_timeout_us;
        wm_batcher_fail_overdue(f->batcher, connection, f->now_us, f->now_us, &was_trial);
    }
    model_end_failed(f, connection);
}

/* Nothing is rejected that has not failed alone three times, or was refused by name. */
static void reject_poison(fuzz *f)
{
    wm_poison p;
    while (wm_batcher_next_poison(f->batcher, &p)) {
        model_op *m = model_by_index(f, p.op);
        REQUIRE(m->place == ASIDE && (m->alone >= WM_POISON_PROOFS || m->is_refused));
        REQUIRE(wm_batcher_remove_aside(f->batcher, p.op) && !wm_batcher_remove_aside(f->batcher, p.op));
        wm_batcher_settle(f->batcher, p.op);
        m->place = GONE;
    }
}

/* All of it leaves and is acknowledged in the end. */
static void drain(fuzz *f)
{
    for (uint32_t p = 0; p < f->routes.count; p++) wm_batcher_set_route(f->batcher, p, (int)(p % CONNECTIONS));
    for (uint32_t round = 0; wm_oplog_count(f->log) > 0; round++) {
        REQUIRE(round < 4 * OPS_MAX && f->batch_count + CONNECTIONS < OPS_MAX * 2);
        if (f->batch_count + CONNECTIONS >= OPS_MAX) f->batch_count = 0; /* those before are settled */
        for (int connection = 0; connection < CONNECTIONS; connection++) wm_batcher_close_window(f->batcher, connection, false);
        for (int connection = 0; connection < CONNECTIONS; connection++) take(f, connection);
        while (model_choose_batch(f, 0) != NULL) ack(f, 0);
        reject_poison(f);
        f->now_us += 10000000;
        model_check_counts(f);
    }
}

static void step(fuzz *f, uint8_t what, uint8_t with)
{
    int connection = with % CONNECTIONS;
    switch (what % 16) {
    case 0:
    case 1:
    case 2:
    case 3: write_key(f, with % KEYS, what); break;
    case 4:
    case 5:
    case 6: take(f, connection); break;
    case 7:
    case 8: ack(f, with); break;
    case 9: wm_batcher_set_route(f->batcher, with / 4u % f->routes.count, with % 4 - 1); break;
    case 10:
        wm_batcher_release_connection(f->batcher, connection, f->now_us);
        model_end_batches(f, connection);
        break;
    case 11: (with % 2 ? reject : return_one)(f, with / 2); break;
    case 12: with % 2 ? drop(f, with / 2 % (CONNECTIONS + 1) - 1) : write_of_another(f, with / 2 % KEYS); break;
    case 13: with % 8 == 7 ? sift(f, with / 8 % KEYS) : model_check_backlog(f, with, what); break;
    case 14:
        if (with % 4 == 3) set_window(f, connection, with / 16u);
        else with & 1 ? set_serial(f, connection, with & 8) : fail_some(f, connection, with / 2);
        break;
    case 15:
        f->salt = with / 8;
        wm_route_table_close(&f->routes);
        REQUIRE(wm_route_table_init(&f->routes, WM_HASH_FNV1A, 1 + with % PARTITIONS_MAX));
        REQUIRE(wm_batcher_repartition(f->batcher, model_partition_of, f) == WM_OK);
        break;
    }
    f->now_us++;
}

static void start(fuzz *f, const uint8_t *data)
{
    f->limits = (wm_batch_limits){
        .max_ops = 1 + data[0] % 8u,
        .max_bytes = 200 + data[1] * 8u,
        .max_in_flight = 1 + data[2] % 4u,
        .ack_timeout_us = 1000000,
    };
    REQUIRE(wm_route_table_init(&f->routes, WM_HASH_FNV1A, 1 + data[4] % PARTITIONS_MAX));
    f->log = wm_oplog_new((wm_oplog_limits){OPS_MAX, 1u << 20});
    f->records = wm_record_store_new(f->log);
    f->template = wm_oplog_template(f->log, false, "map", 3, "client-1");
    f->batcher = wm_batcher_new(f->log, &f->routes, f->limits, model_hooks(f));
    REQUIRE(f->batcher != NULL && f->records != NULL && wm_batcher_set_connections(f->batcher, CONNECTIONS) == WM_OK);
    wm_op_ids_init(&f->ids, "abcdefgh");
    for (int i = 0; i < CONNECTIONS; i++) {
        f->window[i] = UINT32_MAX;
        set_serial(f, i, data[3] >> i & 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5 || (size - 5) / 2 >= OPS_MAX / 2) return 0;
    fuzz *f = calloc(1, sizeof *f);
    start(f, data);
    for (size_t at = 5; at + 1 < size; at += 2) {
        step(f, data[at], data[at + 1]);
        reject_poison(f);
        if (data[at] & 64) model_check_counts(f); /* a look brings in line what is put off */
    }
    drain(f);
    wm_batcher_free(f->batcher);
    wm_route_table_close(&f->routes);
    wm_record_store_free(f->records);
    wm_oplog_free(f->log);
    free(f);
    return 0;
}
