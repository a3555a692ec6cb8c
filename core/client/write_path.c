/* The write path: how an operation is recorded. */
#include <string.h>

#include "base/compiler.h"
#include "base/status.h"
#include "client/state.h"

int wm_map_status(const wm_map *m)
{
    return m->client->writer.status;
}

/* Hashes the key, and prefetches its record, which is likely not in the cache. False when the key is not
 * valid UTF-8: a v2 server drops a frame with such a string and answers nothing, so that the whole batch
 * would wait for ever. */
static bool hash_and_prefetch(wm_map *m, const char *key, size_t key_len)
{
    wm_client *c = m->client;
    wm_open_write *w = &c->writer.open;
    if (!wm_hash_fnv1a_utf8(key, key_len, &w->hash)) return false;
    wm_record_store_expect_place(m->store, w->hash);
    w->partition = wm_route_table_partition_of_hash(&c->routes, c->routes.hash == WM_HASH_XXH64 ? wm_hash_xxh64(key, key_len) : w->hash);
    return true;
}

/* Reserves space in the log, and writes the head of an operation with this timestamp. Returns where the value
 * goes. Call hash_and_prefetch first. */
static uint8_t *begin_at(wm_map *m, bool remove, const char *key, size_t key_len, size_t value_size,
                         const wm_hlc *time)
{
    wm_client *c = m->client;
    wm_open_write *w = &c->writer.open;
    size_t head = wm_op_kept_head(key_len);
    if (key_len > WM_OP_KEY_MAX || value_size > m->value_max) {
        c->writer.status = m->name_status < 0 ? m->name_status : WM_ESIZE;
        c->writer.refused_bytes = key_len + value_size;
        return NULL;
    }
    c->writer.status = wm_client_check_backpressure(c, w->partition);
    if (c->writer.status < 0) return NULL;
    size_t available;
    c->writer.status = wm_oplog_reserve(c->log, head + value_size, &w->bytes, &available);
    if (c->writer.status < 0) return NULL;
    w->now_us = c->now_us;
    w->time = *time;
    w->template = remove ? m->remove_template : m->put_template;
    w->key_len = (uint32_t)key_len;
    wm_op_keep_head(w->bytes, c->writer.ids.start, key, key_len, time);
    return w->bytes + head;
}

static uint8_t *begin(wm_map *m, bool remove, const char *key, size_t key_len, size_t value_size)
{
    wm_client *c = m->client;
    if (!hash_and_prefetch(m, key, key_len)) {
        c->writer.status = WM_EUTF8;
        return NULL;
    }
    c->now_us = wm_now_us();
    wm_hlc time = c->writer.clock;
    wm_hlc_now(&time, wm_client_unix_ms(c));
    return begin_at(m, remove, key, key_len, value_size, &time);
}

/* Hands an operation that is in the log to the batcher. */
static double enqueue_unmeasured(wm_client *c, uint32_t index)
{
    const wm_open_write *w = &c->writer.open;
    wm_op *op = wm_oplog_at(c->log, index);
    c->writer.last_op = index;
    wm_op_ids_advance(&c->writer.ids);
    op->recorded_us = w->now_us;
    op->partition = w->partition;
    wm_batcher_add(c->batcher, index, w->now_us);
    c->figures.stats.ops_recorded++;
    if (c->writer.drop_oldest) wm_client_displace(c, index);
    if (c->routes.all[w->partition].node_index < 0 && wm_map_chooser_map(c->chooser) == NULL)
        wm_map_chooser_metrics(c->chooser)->partition_misses++;
    wm_client_check_watermarks(c);
    return (double)op->seq;
}

static double enqueue(wm_client *c, uint32_t index)
{
    double seq = enqueue_unmeasured(c, index);
    if (c->figures.metrics != NULL) wm_op_metrics_recorded(c->figures.metrics, wm_oplog_at(c->log, index));
    return seq;
}

static double commit(wm_map *m, bool remove, size_t value_len)
{
    wm_client *c = m->client;
    wm_open_write *w = &c->writer.open;
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
    uint32_t index = record.op = wm_oplog_commit(c->log, w->template, len, w->key_len);
    if (index == WM_NO_OP) return c->writer.status = WM_ENOMEM;
    if (wm_record_store_put_soon(m->store, w->hash, &record) < 0) {
        wm_oplog_settle(c->log, index);
        return c->writer.status = WM_ENOMEM;
    }
    if (!m->lags) {
        m->lags = true;
        m->next_lagging = c->maps.lagging;
        c->maps.lagging = m;
    }
    c->writer.clock = w->time;
    if (m->tells_own) wm_replica_wrote(m->replica, record.key, record.key_len);
    return enqueue(c, index);
}

void wm_client_op_settles_out_of_order(void *client, uint32_t index)
{
    wm_client *c = client;
    wm_client_catch_up(c);
    const wm_op *op = wm_oplog_at(c->log, index);
    if (!op->follows || op->is_followed) return; /* it is known by now */
    wm_op_view view = wm_oplog_read(c->log, op);
    const wm_map *m = wm_client_find_map(c, view.map_name, view.map_len);
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
    uint8_t *value = begin(m, true, key, key_len, sizeof wm_removed_value);
    if (value == NULL) return m->client->writer.status;
    *value = wm_removed_value[0];
    return commit(m, true, sizeof wm_removed_value);
}

/* The index of the operation that writes the newest record of a key, one of this client's,
 * once more; WM_NO_OP, and the reason in the client's status. */
static uint32_t record_again(wm_map *m, const char *key, size_t key_len)
{
    wm_client *c = m->client;
    wm_record record;
    c->writer.status = WM_EUTF8;
    if (!hash_and_prefetch(m, key, key_len)) return WM_NO_OP;
    c->writer.status = WM_EINVAL;
    if (!wm_map_own(m, c->writer.open.hash, key, key_len, &record)) return WM_NO_OP;
    bool remove = record.value == NULL;
    size_t value_len = remove ? sizeof wm_removed_value : record.value_len;
    wm_hlc time = c->writer.clock;
    time.millis = record.millis;
    time.counter = record.counter;
    c->now_us = wm_now_us();
    uint8_t *value = begin_at(m, remove, key, key_len, value_len, &time);
    if (value == NULL) return WM_NO_OP;
    memcpy(value, remove ? wm_removed_value : record.value, value_len);
    char path[64]; /* the record may be older than what is known of the servers */
    c->writer.status = wm_map_check_value(m, value, value_len, path, sizeof path);
    if (c->writer.status == WM_OK && key_len + value_len > m->record_max) wm_map_refuse_size(m, key_len + value_len);
    if (c->writer.status < 0) return WM_NO_OP;
    uint32_t index = wm_oplog_commit(c->log, c->writer.open.template, wm_op_kept_head(key_len) + value_len, key_len);
    c->writer.status = WM_ENOMEM;
    if (index != WM_NO_OP) wm_map_written_again(m, c->writer.open.hash, key, key_len, index);
    return index;
}

double wm_map_resend(wm_map *m, const char *key, size_t key_len)
{
    wm_client *c = m->client;
    uint32_t index = record_again(m, key, key_len);
    if (index == WM_NO_OP) return c->writer.status;
    return enqueue(c, index);
}

static bool is_newer(const wm_map *m, const wm_record *record, const wm_op_view *view)
{
    const char *node = m->client->maps.writers.all[record->node];
    wm_timestamp held = {record->millis, record->counter, node, strlen(node)};
    return wm_timestamp_compare(&held, &view->time) > 0;
}

static bool has_newer(wm_map *m, uint32_t hash, const wm_op_view *view)
{
    wm_record own, shown;
    if (wm_record_store_get(m->store, hash, view->key, view->key_len, &own) && is_newer(m, &own, view)) return true;
    return wm_map_get(m, view->key, view->key_len, &shown) && is_newer(m, &shown, view);
}

double wm_map_write_again(wm_map *m, const wm_op_view *view)
{
    wm_client *c = m->client;
    if (!hash_and_prefetch(m, view->key, view->key_len)) return c->writer.status = WM_EUTF8;
    if (has_newer(m, c->writer.open.hash, view)) return c->writer.status = WM_ESTALE;
    size_t value_len = view->removed ? sizeof wm_removed_value : view->value_len;
    char path[64];
    if (view->key_len + value_len > m->record_max) return wm_map_refuse_size(m, view->key_len + value_len);
    c->now_us = wm_now_us();
    wm_hlc time = {view->time.millis, view->time.counter};
    uint8_t *value = begin_at(m, view->removed, view->key, view->key_len, value_len, &time);
    if (value == NULL) return c->writer.status;
    memcpy(value, view->removed ? wm_removed_value : view->value, value_len);
    c->writer.status = wm_map_check_value(m, value, value_len, path, sizeof path);
    if (c->writer.status < 0) return c->writer.status;
    uint32_t index = wm_oplog_commit(c->log, c->writer.open.template, wm_op_kept_head(view->key_len) + value_len, view->key_len);
    if (index == WM_NO_OP) return c->writer.status = WM_ENOMEM;
    int restored = wm_map_restore(m, view, index);
    if (restored >= 0) return enqueue(c, index);
    wm_oplog_settle(c->log, index);
    return c->writer.status = restored;
}

int wm_client_repeat(wm_client *c, uint32_t template, const char *key, size_t key_len)
{
    size_t name_len;
    const char *name = wm_oplog_map_of(c->log, template, &name_len);
    wm_map *m = wm_client_find_map(c, name, name_len);
    wm_record record;
    if (m == NULL || !wm_map_own(m, wm_hash_fnv1a(key, key_len), key, key_len, &record)) return 1;
    if (wm_map_is_unsettled(m, &record)) return 1;
    if (wm_oplog_is_full(c->log) || wm_client_is_node_full(c, wm_route_table_partition_of(&c->routes, key, key_len))) return WM_EFULL;
    uint32_t index = record_again(m, key, key_len);
    if (index == WM_NO_OP) return c->writer.status;
    enqueue_unmeasured(c, index);
    return WM_OK;
}

static uint32_t find_op(wm_client *c, uint64_t seq)
{
    if (c->writer.last_op != WM_NO_OP && wm_oplog_at(c->log, c->writer.last_op)->seq == seq) return c->writer.last_op;
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
