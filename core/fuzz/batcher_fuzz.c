/* A log, its records and its batcher, against a model: whatever is written, routed, sent,
 * acknowledged, returned, rejected and dropped, and in which order, each operation is in one
 * place, two of a key are never in two batches of a serial connection, a newer one never leaves
 * before an older one, and nothing that may leave stays. Batches fail, too: what is set aside
 * is tried apart, and an operation is taken for poison only after it failed alone.
 *
 * Input: five bytes (limits, which connections are serial, partitions), then steps of two bytes: what,
 * and with which key, connection, batch or partition. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"
#include "replica/record_store.h"
#include "oplog/batcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

#define CONNECTIONS 3
#define KEYS 12u
#define PARTITIONS_MAX 8u
#define OPS_MAX 1000u

typedef enum place {
    GONE,
    WAITS,
    SENT,
    ASIDE,
} place;

typedef struct model_op {
    uint32_t index, key;
    uint64_t seq;
    place place;
    int connection;
    uint32_t batch;
    uint32_t alone;  /* failures of it alone in its batch */
    bool is_refused; /* by words about each operation of its kind */
} model_op;

typedef struct model_batch {
    uint32_t number; /* 0: settled */
    int connection;
    char last_id[WM_OP_ID_LEN];
} model_batch;

typedef struct fuzz {
    wm_oplog *log;
    wm_batcher *batcher;
    wm_record_store *records;
    wm_op_ids ids;
    wm_batch_limits limits;
    uint64_t now_us;
    uint32_t template, salt;
    wm_route_table routes;
    bool serial[CONNECTIONS];
    uint32_t window[CONNECTIONS]; /* operations in flight; UINT32_MAX: any number */
    model_op ops[OPS_MAX];
    uint32_t count;
    model_batch batches[OPS_MAX];
    uint32_t batch_count;
} fuzz;

static void name_key(char *out, uint32_t key)
{
    out[0] = 'k';
    out[1] = (char)('a' + key);
}

static uint32_t partition_of(void *user, const char *key, size_t len)
{
    const fuzz *f = user;
    (void)len;
    return ((uint32_t)(key[1] - 'a') * 5 + f->salt) % f->routes.count;
}

static uint32_t partition_of_op(fuzz *f, const model_op *m)
{
    char key[2];
    name_key(key, m->key);
    return partition_of(f, key, 2);
}

static model_op *by_index(fuzz *f, uint32_t index)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->ops[i].index == index && f->ops[i].place != GONE) return &f->ops[i];
    abort();
}

/* -- what the batcher reports ------------------------------------------------------------ */

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
        model_op *m = by_index(f, ops[i]);
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
        model_op *m = by_index(f, ops[i]);
        REQUIRE(m->place == SENT && m->connection == connection);
        m->place = GONE;
    }
}

static void on_returned(void *user, int connection, uint32_t index)
{
    fuzz *f = user;
    model_op *m = by_index(f, index);
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
    op->partition = partition_of(f, wm_op_key(op), 2);
    wm_batcher_add(f->batcher, index, f->now_us);
}

/* A write, some puts of which are not in the table at once, or a record sent again. */
static void write_key(fuzz *f, uint32_t key, uint8_t how)
{
    static const size_t lengths[] = {1, 40, 600};
    char name[2];
    name_key(name, key);
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
    name_key(name, key);
    wm_record r = {.key = name, .key_len = 2, .value = (const uint8_t *)"\xc3", .value_len = 1, .millis = 1001, .node = 1};
    REQUIRE(wm_record_store_merge(f->records, wm_hash_fnv1a(name, 2), &r, is_newer, NULL) == WM_OK);
}

static bool follows(const fuzz *f, const model_op *m)
{
    for (const model_op *o = f->ops; o < m; o++)
        if (o->key == m->key && o->place != GONE) return true;
    return false;
}

static uint32_t count_aside(const fuzz *f)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++) count += f->ops[i].place == ASIDE;
    return count;
}

/* What waits for the connection has a reason: an older operation of its key, or one of its partition
 * that has that reason and stands before it. */
static void check_nothing_left(fuzz *f, int connection)
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

static void take(fuzz *f, int connection)
{
    wm_buffer frame;
    wm_buffer_init(&frame);
    wm_record_store_catch_up(f->records);
    bool due = wm_batcher_has_due(f->batcher, connection, f->now_us);
    wm_connection_load load = wm_batcher_load(f->batcher, connection);
    bool fits = load.in_flight_batches < f->limits.max_in_flight;
    bool open = fits && (load.in_flight_batches == 0 || f->window[connection] == UINT32_MAX);
    bool is_searched = wm_batcher_trial_cut_us(f->batcher, connection) != 0 || count_aside(f) > 0;
    uint32_t before = f->batch_count;
    int taken = wm_batcher_take(f->batcher, connection, &frame, f->now_us);
    REQUIRE(taken >= 0 && (frame.len > 0) == (taken > 0) && f->batch_count == before + (taken > 0));
    bool is_windowed = !is_searched && load.in_flight_batches > 0;
    if (taken > 0) REQUIRE(due && fits && (uint32_t)taken <= f->limits.max_ops);
    if (taken > 0 && is_windowed) REQUIRE(load.in_flight_ops + (uint32_t)taken <= f->window[connection]);
    if (taken == 0 && open && !is_searched) check_nothing_left(f, connection);
    wm_buffer_close(&frame);
}

static model_batch *choose_batch(fuzz *f, uint8_t which)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < f->batch_count; i++) open += f->batches[i].number != 0;
    uint32_t wanted = open == 0 ? 0 : which % open;
    for (uint32_t i = 0; i < f->batch_count; i++)
        if (f->batches[i].number != 0 && wanted-- == 0) return &f->batches[i];
    return NULL;
}

static void ack(fuzz *f, uint8_t which)
{
    model_batch *b = choose_batch(f, which);
    if (b == NULL) return;
    uint32_t in_flight = 0;
    for (uint32_t i = 0; i < f->count; i++) in_flight += f->ops[i].place == SENT && f->ops[i].batch == b->number;
    REQUIRE(wm_batcher_ack(f->batcher, b->connection, b->last_id, WM_OP_ID_LEN) == in_flight);
    REQUIRE(wm_batcher_ack(f->batcher, b->connection, b->last_id, WM_OP_ID_LEN) == 0);
    b->number = 0;
}

static void end_batches(fuzz *f, int connection)
{
    for (uint32_t i = 0; i < f->batch_count; i++)
        if (f->batches[i].connection == connection) f->batches[i].number = 0;
}

static model_op *choose_sent(fuzz *f, uint8_t which)
{
    uint32_t sent = 0;
    for (uint32_t i = 0; i < f->count; i++) sent += f->ops[i].place == SENT;
    uint32_t wanted = sent == 0 ? 0 : which % sent;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->ops[i].place == SENT && wanted-- == 0) return &f->ops[i];
    return NULL;
}

static void reject(fuzz *f, uint8_t which)
{
    model_op *m = choose_sent(f, which);
    if (m == NULL) return;
    REQUIRE(wm_batcher_remove_in_flight(f->batcher, m->connection, m->index));
    wm_batcher_settle(f->batcher, m->index);
    m->place = GONE;
}

/* The batches of a key that is in several (on a connection that is not serial) come back as one, or
 * not at all: a server refuses an operation for what holds for all of its partition. */
static void return_one(fuzz *f, uint8_t which)
{
    model_op *m = choose_sent(f, which);
    if (m == NULL) return;
    for (uint32_t i = f->count; i-- > 0;) {
        const model_op *o = &f->ops[i];
        if (o->place == SENT && o->key == m->key)
            REQUIRE(wm_batcher_return_in_flight(f->batcher, o->connection, o->index, f->now_us));
    }
}

static uint32_t oldest_waiting(fuzz *f, int first, int last)
{
    for (uint32_t i = 0; i < f->count; i++) {
        int route = f->routes.all[partition_of_op(f, &f->ops[i])].connection;
        if (f->ops[i].place == WAITS && route >= first && route <= last) return f->ops[i].index;
    }
    return WM_NO_OP;
}

static void drop(fuzz *f, int first)
{
    wm_record_store_catch_up(f->records);
    uint32_t index = wm_batcher_oldest_pending(f->batcher, first, CONNECTIONS - 1);
    REQUIRE(index == oldest_waiting(f, first, CONNECTIONS - 1));
    if (index == WM_NO_OP) return;
    model_op *m = by_index(f, index);
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
    const model_op *m = by_index(s->fuzz, index);
    REQUIRE(m->place == WAITS);
    return m->key == s->key;
}

static void settle_taken(void *user, uint32_t index)
{
    const sieve *s = user;
    model_op *m = by_index(s->fuzz, index);
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

static uint32_t live_of(const fuzz *f, uint32_t batch)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < f->count; i++) live += f->ops[i].place == SENT && f->ops[i].batch == batch;
    return live;
}

/* A failure may come to count for those that are alone. */
static void note_alone(fuzz *f, int connection)
{
    for (uint32_t i = 0; i < f->count; i++) {
        model_op *m = &f->ops[i];
        if (m->place == SENT && m->connection == connection && live_of(f, m->batch) == 1) m->alone++;
    }
}

/* Batches of which nothing is in flight any more have ended. */
static void end_failed(fuzz *f, int connection)
{
    for (uint32_t i = 0; i < f->batch_count; i++)
        if (f->batches[i].connection == connection && f->batches[i].number != 0 && live_of(f, f->batches[i].number) == 0)
            f->batches[i].number = 0;
}

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
        name_key(key, m->key);
        if (m->place == SENT && m->connection == connection && (uint32_t)key[1] % 4u == kind) m->is_refused = true;
    }
    wm_batcher_refuse(f->batcher, connection, &refusal, f->now_us);
}

static void fail_some(fuzz *f, int connection, uint8_t how)
{
    static const wm_batch_fault faults[] = {WM_FAULT_REFUSED, WM_FAULT_UNREADABLE, WM_FAULT_CUT};
    bool was_trial;
    note_alone(f, connection);
    if (how % 8 < 3) wm_batcher_fail_all(f->batcher, connection, faults[how % 8], how & 8 ? 1 : 0, how & 16 ? 1 : 0, f->now_us);
    else if (how % 8 < 5) refuse(f, connection, how / 16 % 4, how % 8 == 3);
    else {
        if (how & 8) f->now_us += f->limits.ack_timeout_us;
        wm_batcher_fail_overdue(f->batcher, connection, f->now_us, f->now_us, &was_trial);
    }
    end_failed(f, connection);
}

/* Nothing is rejected that has not failed alone three times, or was refused by name. */
static void reject_poison(fuzz *f)
{
    wm_poison p;
    while (wm_batcher_next_poison(f->batcher, &p)) {
        model_op *m = by_index(f, p.op);
        REQUIRE(m->place == ASIDE && (m->alone >= WM_POISON_PROOFS || m->is_refused));
        REQUIRE(wm_batcher_remove_aside(f->batcher, p.op) && !wm_batcher_remove_aside(f->batcher, p.op));
        wm_batcher_settle(f->batcher, p.op);
        m->place = GONE;
    }
}

/* -- what holds after each step ------------------------------------------------------------ */

static void check_counts(fuzz *f)
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
    REQUIRE(wm_oplog_count(f->log) == all && wm_batcher_aside(f->batcher) == count_aside(f));
    REQUIRE(wm_batcher_held(f->batcher) == held && wm_batcher_held_bytes(f->batcher) == held_bytes);
    for (int i = 0; i < CONNECTIONS; i++) {
        wm_connection_load load = wm_batcher_load(f->batcher, i);
        REQUIRE(load.pending_ops == waiting[i] && load.pending_bytes == waiting_bytes[i] && load.in_flight_ops == sent[i]);
        REQUIRE(load.in_flight_batches <= f->limits.max_in_flight);
    }
}

static void check_backlog(fuzz *f, uint32_t partition, uint32_t nth)
{
    bool chosen[PARTITIONS_MAX] = {0}, expected = false;
    chosen[partition % f->routes.count] = true;
    uint64_t seq = f->count == 0 ? 0 : f->ops[nth % f->count].seq;
    for (uint32_t i = 0; i < f->count && f->ops[i].seq <= seq; i++)
        expected = expected || (f->ops[i].place != GONE && chosen[partition_of_op(f, &f->ops[i])]);
    REQUIRE(wm_batcher_has_backlog(f->batcher, chosen, seq) == expected);
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
        while (choose_batch(f, 0) != NULL) ack(f, 0);
        reject_poison(f);
        f->now_us += 10000000;
        check_counts(f);
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
        end_batches(f, connection);
        break;
    case 11: (with % 2 ? reject : return_one)(f, with / 2); break;
    case 12: with % 2 ? drop(f, with / 2 % (CONNECTIONS + 1) - 1) : write_of_another(f, with / 2 % KEYS); break;
    case 13: with % 8 == 7 ? sift(f, with / 8 % KEYS) : check_backlog(f, with, what); break;
    case 14:
        if (with % 4 == 3) set_window(f, connection, with / 16u);
        else with & 1 ? set_serial(f, connection, with & 8) : fail_some(f, connection, with / 2);
        break;
    case 15:
        f->salt = with / 8;
        wm_route_table_close(&f->routes);
        REQUIRE(wm_route_table_init(&f->routes, WM_HASH_FNV1A, 1 + with % PARTITIONS_MAX));
        REQUIRE(wm_batcher_repartition(f->batcher, partition_of, f) == WM_OK);
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
    f->batcher = wm_batcher_new(f->log, &f->routes, f->limits, (wm_batcher_hooks){f, on_acked, on_routed, on_returned, on_settles_out_of_order});
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
        if (data[at] & 64) check_counts(f); /* a look brings in line what is put off */
    }
    drain(f);
    wm_batcher_free(f->batcher);
    wm_route_table_close(&f->routes);
    wm_record_store_free(f->records);
    wm_oplog_free(f->log);
    free(f);
    return 0;
}
