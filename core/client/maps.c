/* Reads and writes of maps: the local copy, and how an operation is recorded. */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/status.h"
#include "base/value_hash.h"
#include "client/state.h"

/* Millis beyond this (year 10889) cannot be a time; a hostile one must not drag
 * the clock. */
#define MILLIS_MAX ((uint64_t)1 << 48)
/* Ids of nodes and clients are kept for good, so that hostile ones must not be long. */
#define NODE_NAME_MAX 256u

typedef struct map_name {
    const char *text;
    size_t len;
} map_name;

static bool is_called(const void *maps, uint32_t place, const void *name)
{
    const wm_map *m = ((wm_map *const *)maps)[place];
    const map_name *n = name;
    return m->name_len == n->len && memcmp(m->name, n->text, n->len) == 0;
}

static wm_map *find_map(const wm_client *c, const char *name, size_t len)
{
    map_name wanted = {name, len};
    uint32_t place = wm_name_index_find(&c->map_names, wm_hash_fnv1a(name, len), is_called, c->maps, &wanted);
    return place == WM_NO_NAME ? NULL : c->maps[place];
}

wm_map *wm_client_map(wm_client *c, const char *name, size_t len)
{
    wm_map *known = find_map(c, name, len);
    if (known != NULL) return known;
    wm_map **grown = realloc(c->maps, (c->map_count + 1) * sizeof *grown);
    if (grown == NULL) return NULL;
    c->maps = grown;
    wm_map *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->client = c;
    m->name = malloc(len + 1);
    m->store = wm_record_store_new(c->log);
    m->put_form = wm_oplog_form(c->log, false, name, len, c->node_names[0]);
    m->remove_form = wm_oplog_form(c->log, true, name, len, c->node_names[0]);
    if (m->name == NULL || m->store == NULL || m->put_form == WM_NO_FORM || m->remove_form == WM_NO_FORM ||
        !wm_name_index_add(&c->map_names, wm_hash_fnv1a(name, len), c->map_count)) {
        free(m->name);
        wm_record_store_free(m->store);
        free(m);
        return NULL;
    }
    memcpy(m->name, name, len);
    m->name[len] = 0;
    m->name_len = len;
    wm_map_apply_rules(m);
    c->maps[c->map_count++] = m;
    return m;
}

void wm_client_free_maps(wm_client *c)
{
    for (uint32_t i = 0; i < c->map_count; i++) {
        wm_map *m = c->maps[i];
        free(m->name);
        wm_record_store_free(m->store);
        free(m);
    }
    free(c->maps);
    wm_name_index_close(&c->map_names);
    for (uint32_t i = 0; i < c->node_name_count; i++) free(c->node_names[i]);
    free(c->node_names);
}

wm_record_store *wm_map_store(wm_map *m)
{
    return m->store;
}

const char *wm_client_node_name(const wm_client *c, uint32_t node)
{
    return c->node_names[node];
}

uint64_t wm_map_allocations(const wm_map *m)
{
    return wm_record_store_allocations(m->store);
}

int wm_map_status(const wm_map *m)
{
    return m->client->status;
}

/* -- writing ------------------------------------------------------------------------- */

/* What a removal carries as its value. */
static const uint8_t nil[] = {0xc0};

/* Whose write it will be: the key's record is asked for early, as it lies anywhere in
 * memory. False when the key is not valid UTF-8: a v2 server drops a frame with such a
 * string and answers nothing, so that the whole batch would wait for ever. */
static bool look_ahead(wm_map *m, const char *key, size_t key_len)
{
    wm_client *c = m->client;
    wm_open_write *w = &c->open;
    if (!wm_hash_fnv1a_utf8(key, key_len, &w->hash)) return false;
    wm_record_store_expect_place(m->store, w->hash);
    w->partition = wm_route_table_partition_of_hash(&c->routes, c->routes.hash == WM_HASH_XXH64 ? wm_hash_xxh64(key, key_len) : w->hash);
    return true;
}

/* Gives a place for the value, behind the head of an operation of this time; after
 * look_ahead. */
static uint8_t *begin_at(wm_map *m, bool remove, const char *key, size_t key_len, size_t value_size,
                         const wm_hlc *time)
{
    wm_client *c = m->client;
    wm_open_write *w = &c->open;
    size_t head = wm_op_kept_head(key_len);
    if (key_len > WM_OP_KEY_MAX || value_size > m->value_max) {
        c->status = m->name_status < 0 ? m->name_status : WM_ESIZE;
        c->refused_bytes = key_len + value_size;
        return NULL;
    }
    c->status = wm_client_check_room(c, w->partition);
    if (c->status < 0) return NULL;
    size_t available;
    c->status = wm_oplog_reserve(c->log, head + value_size, &w->bytes, &available);
    if (c->status < 0) return NULL;
    w->now_us = c->now_us;
    w->time = *time;
    w->form = remove ? m->remove_form : m->put_form;
    w->key_len = (uint32_t)key_len;
    wm_op_keep_head(w->bytes, c->ids.start, key, key_len, time);
    return w->bytes + head;
}

static uint8_t *begin(wm_map *m, bool remove, const char *key, size_t key_len, size_t value_size)
{
    wm_client *c = m->client;
    if (!look_ahead(m, key, key_len)) {
        c->status = WM_EUTF8;
        return NULL;
    }
    c->now_us = wm_now_us();
    wm_hlc time = c->clock;
    wm_hlc_now(&time, wm_client_unix_ms(c));
    return begin_at(m, remove, key, key_len, value_size, &time);
}

/* Hands an operation that is in the log to the batcher. */
static double enqueue_unmeasured(wm_client *c, uint32_t index)
{
    const wm_open_write *w = &c->open;
    wm_op *op = wm_oplog_at(c->log, index);
    c->last_op = index;
    wm_op_ids_advance(&c->ids);
    op->recorded_us = w->now_us;
    op->partition = w->partition;
    wm_batcher_add(c->batcher, index, w->now_us);
    c->stats.ops_recorded++;
    if (c->drop_oldest) wm_client_displace(c, index);
    if (c->routes.all[w->partition].slot < 0 && wm_router_map(c->router) == NULL)
        wm_router_metrics(c->router)->partition_misses++;
    wm_client_check_water(c);
    return (double)op->seq;
}

static double enqueue(wm_client *c, uint32_t index)
{
    double seq = enqueue_unmeasured(c, index);
    if (c->metrics != NULL) wm_op_metrics_recorded(c->metrics, wm_oplog_at(c->log, index));
    return seq;
}

static double commit(wm_map *m, bool remove, size_t value_len)
{
    wm_client *c = m->client;
    wm_open_write *w = &c->open;
    size_t head = wm_op_kept_head(w->key_len), len = head + value_len;
    if (w->key_len + value_len > m->record_max) return wm_map_refuse_size(m, w->key_len + value_len);
    const char *key = (const char *)w->bytes + wm_op_key_at(w->key_len);
    wm_record record = {
        .key = key,
        .key_len = w->key_len,
        .value = remove ? NULL : w->bytes + head,
        .value_len = remove ? 0 : (uint32_t)value_len,
        .millis = w->time.millis,
        .counter = w->time.counter,
        .node = 0,
    };
    uint32_t index = record.op = wm_oplog_commit(c->log, w->form, len, w->key_len);
    if (index == WM_NO_OP) return c->status = WM_ENOMEM;
    if (wm_record_store_put_soon(m->store, w->hash, &record) < 0) {
        wm_oplog_settle(c->log, index);
        return c->status = WM_ENOMEM;
    }
    if (!m->lags) {
        m->lags = true;
        m->next_lagging = c->lagging;
        c->lagging = m;
    }
    c->clock = w->time;
    return enqueue(c, index);
}

void wm_client_catch_up(wm_client *c)
{
    for (; c->lagging != NULL; c->lagging = c->lagging->next_lagging) {
        wm_record_store_catch_up(c->lagging->store);
        c->lagging->lags = false;
    }
}

void wm_client_op_leaves_first(void *client, uint32_t index)
{
    wm_client *c = client;
    wm_client_catch_up(c);
    const wm_op *op = wm_oplog_at(c->log, index);
    if (!op->follows || op->is_followed) return; /* it is known by now */
    wm_op_view view = wm_oplog_read(c->log, op);
    const wm_map *m = find_map(c, view.map_name, view.map_len);
    uint32_t hash = wm_hash_fnv1a(view.key, view.key_len), before = wm_oplog_before(c->log, index);
    if (m != NULL) wm_record_store_rewind(m->store, hash, view.key, view.key_len, index, before);
}

WM_HOT_PATH uint8_t *wm_map_begin_set(wm_map *m, const char *key, size_t key_len, size_t value_size)
{
    return begin(m, false, key, key_len, value_size);
}

WM_HOT_PATH double wm_map_commit_set(wm_map *m, size_t value_len)
{
    return commit(m, false, value_len);
}

double wm_map_remove(wm_map *m, const char *key, size_t key_len)
{
    uint8_t *value = begin(m, true, key, key_len, sizeof nil);
    if (value == NULL) return m->client->status;
    *value = nil[0];
    return commit(m, true, sizeof nil);
}

/* The index of the operation that writes the newest record of a key, one of this client's,
 * once more; WM_NO_OP, and the reason in the client's status. */
static uint32_t record_again(wm_map *m, const char *key, size_t key_len)
{
    wm_client *c = m->client;
    wm_record record;
    c->status = WM_EUTF8;
    if (!look_ahead(m, key, key_len)) return WM_NO_OP;
    bool found = wm_record_store_get(m->store, c->open.hash, key, key_len, &record);
    c->status = WM_EINVAL;
    if (!found || record.node != 0) return WM_NO_OP;
    bool remove = record.value == NULL;
    size_t value_len = remove ? sizeof nil : record.value_len;
    wm_hlc time = c->clock;
    time.millis = record.millis;
    time.counter = record.counter;
    c->now_us = wm_now_us();
    uint8_t *value = begin_at(m, remove, key, key_len, value_len, &time);
    if (value == NULL) return WM_NO_OP;
    memcpy(value, remove ? nil : record.value, value_len);
    char path[64]; /* the record may be older than what is known of the servers */
    c->status = wm_map_check_value(m, value, value_len, path, sizeof path);
    if (c->status == WM_OK && key_len + value_len > m->record_max) wm_map_refuse_size(m, key_len + value_len);
    if (c->status < 0) return WM_NO_OP;
    uint32_t index = wm_oplog_commit(c->log, c->open.form, wm_op_kept_head(key_len) + value_len, key_len);
    c->status = WM_ENOMEM;
    if (index != WM_NO_OP) wm_record_store_written(m->store, c->open.hash, key, key_len, index);
    return index;
}

double wm_map_resend(wm_map *m, const char *key, size_t key_len)
{
    wm_client *c = m->client;
    uint32_t index = record_again(m, key, key_len);
    if (index == WM_NO_OP) return c->status;
    return enqueue(c, index);
}

static bool has_newer(const wm_map *m, uint32_t hash, const wm_op_view *view)
{
    wm_record record;
    if (!wm_record_store_get(m->store, hash, view->key, view->key_len, &record)) return false;
    const char *node = m->client->node_names[record.node];
    wm_timestamp held = {record.millis, record.counter, node, strlen(node)};
    return wm_timestamp_compare(&held, &view->time) > 0;
}

double wm_map_write_again(wm_map *m, const wm_op_view *view)
{
    wm_client *c = m->client;
    if (!look_ahead(m, view->key, view->key_len)) return c->status = WM_EUTF8;
    if (has_newer(m, c->open.hash, view)) return c->status = WM_ESTALE;
    size_t value_len = view->removed ? sizeof nil : view->value_len;
    char path[64];
    if (view->key_len + value_len > m->record_max) return wm_map_refuse_size(m, view->key_len + value_len);
    c->now_us = wm_now_us();
    wm_hlc time = {view->time.millis, view->time.counter};
    uint8_t *value = begin_at(m, view->removed, view->key, view->key_len, value_len, &time);
    if (value == NULL) return c->status;
    memcpy(value, view->removed ? nil : view->value, value_len);
    c->status = wm_map_check_value(m, value, value_len, path, sizeof path);
    if (c->status < 0) return c->status;
    uint32_t index = wm_oplog_commit(c->log, c->open.form, wm_op_kept_head(view->key_len) + value_len, view->key_len);
    if (index == WM_NO_OP) return c->status = WM_ENOMEM;
    int restored = wm_map_restore(m, view, index);
    if (restored >= 0) return enqueue(c, index);
    wm_oplog_settle(c->log, index);
    return c->status = restored;
}

/* Whether the operation that wrote this record of ours is not settled: its place in the log
 * may be another operation's by now, or, harmlessly, a newer one of the key. */
static bool is_unsettled(const wm_map *m, const wm_record *record)
{
    if (record->node != 0 || record->op == WM_NO_OP) return false;
    const wm_op *op = wm_oplog_at(m->client->log, record->op);
    if (op->state == WM_OP_FREE || op->key_len != record->key_len) return false;
    if (op->form != m->put_form && op->form != m->remove_form) return false;
    return memcmp(wm_op_key(op), record->key, record->key_len) == 0;
}

int wm_client_repeat(wm_client *c, uint32_t form, const char *key, size_t key_len)
{
    size_t name_len;
    const char *name = wm_oplog_map_of(c->log, form, &name_len);
    wm_map *m = find_map(c, name, name_len);
    wm_record record;
    if (m == NULL || !wm_record_store_get(m->store, wm_hash_fnv1a(key, key_len), key, key_len, &record)) return 1;
    if (record.node != 0 || is_unsettled(m, &record)) return 1;
    if (wm_oplog_is_full(c->log) || wm_client_is_node_full(c, wm_route_table_partition_of(&c->routes, key, key_len))) return WM_EFULL;
    uint32_t index = record_again(m, key, key_len);
    if (index == WM_NO_OP) return c->status;
    enqueue_unmeasured(c, index);
    return WM_OK;
}

void wm_client_acked_late(wm_client *c, const wm_op *op)
{
    wm_op_view view = wm_oplog_read(c->log, op);
    wm_map *m = wm_client_map(c, view.map_name, view.map_len);
    if (m == NULL) return;
    uint32_t hash = wm_hash_fnv1a(view.key, view.key_len);
    wm_record record;
    if (!wm_record_store_get(m->store, hash, view.key, view.key_len, &record) || record.node != 0) return;
    if (view.time.millis != record.millis || view.time.counter != record.counter) return;
    wm_hlc_now(&c->clock, wm_client_unix_ms(c));
    bool removed = record.value == NULL;
    record.key = view.key;
    record.value = removed ? NULL : view.value;
    record.value_len = removed ? 0 : (uint32_t)view.value_len;
    record.millis = c->clock.millis;
    record.counter = c->clock.counter;
    record.op = WM_NO_OP; /* it stays the one that wrote this */
    wm_record_store_put(m->store, hash, &record); /* out of memory: the old time stays */
}

void wm_client_note_doubtful(wm_client *c, const wm_op *op)
{
    wm_op_view view = wm_oplog_read(c->log, op);
    if (c->doubtful == NULL) c->doubtful = wm_doubtful_writes_new();
    if (c->doubtful == NULL) return;
    const uint8_t *value = view.removed ? nil : view.value;
    size_t value_len = view.removed ? sizeof nil : view.value_len;
    wm_doubtful_writes_add(c->doubtful, view.map_name, view.map_len, view.key, view.key_len, value, value_len,
                           c->now_us / 1000);
}

bool wm_map_is_doubtful(const wm_map *m, const char *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    const wm_doubtful_writes *d = m->client->doubtful;
    return d != NULL && wm_doubtful_writes_has(d, m->name, m->name_len, key, key_len, value, value_len);
}

static uint32_t find_op(wm_client *c, uint64_t seq)
{
    if (c->last_op != WM_NO_OP && wm_oplog_at(c->log, c->last_op)->seq == seq) return c->last_op;
    for (uint32_t i = 1; i < wm_oplog_end(c->log); i++)
        if (wm_oplog_at(c->log, i)->seq == seq) return i;
    return WM_NO_OP;
}

bool wm_client_notify(wm_client *c, uint64_t seq)
{
    uint32_t index = find_op(c, seq);
    if (index == WM_NO_OP || wm_oplog_at(c->log, index)->state == WM_OP_FREE) return false;
    wm_oplog_at(c->log, index)->notify = true;
    return true;
}

/* -- merging -------------------------------------------------------------------------- */

static bool intern_node(wm_client *c, const char *name, size_t len, uint32_t *out)
{
    for (uint32_t i = 0; i < c->node_name_count; i++) {
        if (strlen(c->node_names[i]) == len && memcmp(c->node_names[i], name, len) == 0) {
            *out = i;
            return true;
        }
    }
    char **grown = realloc(c->node_names, (c->node_name_count + 1) * sizeof *grown);
    if (grown == NULL) return false;
    c->node_names = grown;
    char *copy = malloc(len + 1);
    if (copy == NULL) return false;
    memcpy(copy, name, len);
    copy[len] = 0;
    *out = c->node_name_count;
    grown[c->node_name_count++] = copy;
    return true;
}

static bool has_same_value(const wm_record *a, const wm_record *b)
{
    uint64_t of_a, of_b;
    if (a->value == NULL || b->value == NULL) return a->value == b->value;
    return wm_value_hash(a->value, a->value_len, &of_a) && wm_value_hash(b->value, b->value_len, &of_b) && of_a == of_b;
}

/* Lanes as marks of records; 0 is nobody's. */
static uint16_t mark_of(int lane)
{
    return lane >= 0 && lane < UINT16_MAX ? (uint16_t)(lane + 1) : 0;
}

/* The lane has told of our own record. */
static void note_told(wm_map *m, uint32_t hash, const char *key, size_t key_len, int lane)
{
    if (lane != WM_LANE_NONE) wm_record_store_tell(m->store, hash, key, key_len, mark_of(lane));
}

/* Whether a change that a server tells is an earlier write of ours that it got late. */
static bool is_late_arrival(const wm_map *m, const wm_record *change)
{
    wm_doubtful_writes *d = m->client->doubtful;
    if (d == NULL) return false;
    const uint8_t *value = change->value == NULL ? nil : change->value;
    size_t value_len = change->value == NULL ? sizeof nil : change->value_len;
    return wm_doubtful_writes_arrived(d, m->name, m->name_len, change->key, change->key_len, value, value_len,
                                      wm_now_us() / 1000);
}

/* For how long after a write (ms) what a lane tells of the key before that write is told
 * counts as older. Both come at the same time, but for how two sockets are served; when the
 * lane never tells of the write, because nobody listened yet, what another client wrote is
 * passed over for so long. */
#define ECHO_MS 2000u

/* A v2 server tells the writer's other connections of each write, without the time that the
 * writer gave it, and in the order of the key. So what a lane tells of a key comes before
 * our own write until the lane has told of that, though it was acknowledged on another
 * one: taken for news, an earlier removal of ours would take the later write away. The lane
 * that our writes of the key go by tells of none of them. */
static bool is_before_ours(const wm_map *m, const wm_record *stored, int lane)
{
    const wm_client *c = m->client;
    if (lane == WM_LANE_NONE || stored->node != 0 || stored->told == mark_of(lane)) return false;
    if (wm_batcher_route(c->batcher, wm_route_table_partition_of(&c->routes, stored->key, stored->key_len)) == lane) return false;
    uint64_t wall_ms = wm_wall_ms(); /* the clock may be ahead of it */
    uint64_t now_ms = wall_ms > c->clock.millis ? wall_ms : c->clock.millis;
    return now_ms - stored->millis < ECHO_MS;
}

typedef struct comparison {
    const wm_map *map;
    const wm_record *record;
    const wm_timestamp *time;
    bool stamped_on_arrival;
    int lane;
    bool is_told; /* it was the stored record, which is ours */
} comparison;

/* A record of ours stays one while a server only tells what we wrote, so that
 * client:repair still knows it for ours. */
static bool stays(comparison *x, const wm_record *stored)
{
    if (!x->stamped_on_arrival || stored->node != 0) return false;
    x->is_told = has_same_value(stored, x->record);
    return x->is_told || is_unsettled(x->map, stored) || is_before_ours(x->map, stored, x->lane) ||
           is_late_arrival(x->map, x->record);
}

static bool is_newer(void *user, const wm_record *stored)
{
    comparison *x = user;
    if (stays(x, stored)) return false;
    const char *node = x->map->client->node_names[stored->node];
    wm_timestamp held = {stored->millis, stored->counter, node, strlen(node)};
    return wm_timestamp_compare(x->time, &held) > 0;
}

static int merge(wm_map *m, wm_record *record, const wm_timestamp *time, bool stamped_on_arrival, int lane)
{
    wm_client *c = m->client;
    if (time->millis > MILLIS_MAX || time->counter > UINT32_MAX) return WM_EINVAL;
    if (time->node_len > NODE_NAME_MAX || memchr(time->node, 0, time->node_len) != NULL) return WM_EINVAL;
    wm_hlc_update(&c->clock, wm_wall_ms(), time->millis, time->counter);
    record->millis = time->millis;
    record->counter = time->counter;
    if (!intern_node(c, time->node, time->node_len, &record->node)) return WM_ENOMEM;
    comparison user = {m, record, time, stamped_on_arrival, lane, false};
    uint32_t hash = wm_hash_fnv1a(record->key, record->key_len);
    int result = wm_record_store_merge(m->store, hash, record, is_newer, &user);
    if (user.is_told) note_told(m, hash, record->key, record->key_len, lane);
    return result;
}

int wm_map_merge(wm_map *m, const char *key, size_t key_len, const uint8_t *value, size_t value_len,
                 const wm_timestamp *time, bool stamped_on_arrival, int lane)
{
    wm_record record = {
        .key = key,
        .key_len = (uint32_t)key_len,
        .value = value,
        .value_len = (uint32_t)value_len,
    };
    return merge(m, &record, time, stamped_on_arrival, lane);
}

int wm_map_restore(wm_map *m, const wm_op_view *view, uint32_t op)
{
    wm_record record = {
        .key = view->key,
        .key_len = (uint32_t)view->key_len,
        .value = view->removed ? NULL : view->value,
        .value_len = view->removed ? 0 : (uint32_t)view->value_len,
        .op = op,
    };
    int result = merge(m, &record, &view->time, false, WM_LANE_NONE);
    /* One that was sent again has the time of the record: that stays, and is followed. */
    if (result == 1) wm_record_store_written(m->store, wm_hash_fnv1a(view->key, view->key_len), view->key, view->key_len, op);
    return result;
}

int wm_map_forget(wm_map *m, const char *key, size_t key_len, int lane)
{
    uint32_t hash = wm_hash_fnv1a(key, key_len);
    wm_record record;
    if (!wm_record_store_get(m->store, hash, key, key_len, &record)) return 1;
    if (record.value == NULL) {
        if (record.node == 0) note_told(m, hash, key, key_len, lane);
        return 1;
    }
    if (is_unsettled(m, &record) || is_before_ours(m, &record, lane)) return 1;
    bool is_own = record.node == 0;
    record.value = NULL;
    record.value_len = 0;
    record.key = key;
    record.op = WM_NO_OP; /* none of ours writes this */
    if (is_own && is_late_arrival(m, &record)) return 1;
    return wm_record_store_put(m->store, hash, &record);
}

int wm_client_take_change(wm_client *c, const wm_change *change, int lane)
{
    if (c->map_count == 0) return WM_EINVAL;
    wm_map *m = find_map(c, change->map, change->map_len);
    if (m == NULL) return 1;
    if (change->has_record)
        return wm_map_merge(m, change->key, change->key_len, change->value, change->value_len, &change->time,
                            change->stamped_on_arrival, lane);
    return change->is_removal ? wm_map_forget(m, change->key, change->key_len, lane) : 1;
}
