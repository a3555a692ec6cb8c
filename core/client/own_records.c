/* This client's own records: those of the op log's file, and those of writes whose order a server may have
 * changed. */
#include <string.h>

#include "base/status.h"
#include "client/state.h"

bool wm_map_is_unsettled(const wm_map *m, const wm_record *record)
{
    if (record->node != 0 || record->op == WM_NO_OP) return false;
    const wm_op *op = wm_oplog_at(m->client->log, record->op);
    if (op->state == WM_OP_FREE || op->key_len != record->key_len) return false;
    if (op->template != m->put_template && op->template != m->remove_template) return false;
    return memcmp(wm_op_key(op), record->key, record->key_len) == 0;
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
    wm_hlc_now(&c->writer.clock, wm_client_unix_ms(c));
    bool removed = record.value == NULL;
    record.key = view.key;
    record.value = removed ? NULL : view.value;
    record.value_len = removed ? 0 : (uint32_t)view.value_len;
    record.millis = c->writer.clock.millis;
    record.counter = c->writer.clock.counter;
    record.op = WM_NO_OP;                         /* it stays the one that wrote this */
    wm_record_store_put(m->store, hash, &record); /* out of memory: the old time stays */
}

/* What the replica shows of a key, before something happens to its own record. */
static wm_replica_sight before_own(const wm_map *m, const char *key, size_t len)
{
    return m->replica != NULL ? wm_replica_before_own(m->replica, key, len) : (wm_replica_sight){0};
}

static void after_own(const wm_map *m, const char *key, size_t len, const wm_replica_sight *before)
{
    if (m->replica != NULL) wm_replica_after_own(m->replica, key, len, before);
}

void wm_client_settle_not_stored(wm_client *c, uint32_t op, uint8_t mark)
{
    wm_op_view view = wm_oplog_read(c->log, wm_oplog_at(c->log, op));
    const wm_map *m = wm_client_find_map(c, view.map_name, view.map_len);
    uint32_t hash = wm_hash_fnv1a(view.key, view.key_len);
    wm_record own;
    bool is_own = m != NULL && wm_record_store_get(m->store, hash, view.key, view.key_len, &own) && own.node == 0 && own.op == op;
    if (!is_own) {
        wm_batcher_settle(c->batcher, op);
        return;
    }
    wm_replica_sight before = before_own(m, own.key, own.key_len);
    wm_record_store_mark(m->store, hash, own.key, own.key_len, own.marks | mark, own.seen);
    wm_batcher_settle(c->batcher, op); /* the key of the record stays */
    after_own(m, own.key, own.key_len, &before);
}

void wm_client_note_indoubt(wm_client *c, const wm_op *op)
{
    wm_op_view view = wm_oplog_read(c->log, op);
    if (view.removed) return; /* it leaves no record that could be found */
    if (c->indoubt.writes == NULL) c->indoubt.writes = wm_indoubt_writes_new();
    if (c->indoubt.writes == NULL) return;
    wm_indoubt_writes_add(c->indoubt.writes, view.map_name, view.map_len, view.key, view.key_len, view.value, view.value_len);
}

bool wm_map_is_indoubt(const wm_map *m, const char *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    const wm_indoubt_writes *d = m->client->indoubt.writes;
    return d != NULL && wm_indoubt_writes_has(d, m->name, m->name_len, key, key_len, value, value_len);
}

/* Whether a record is this client's, and no other value of its key is known. */
static bool stands(wm_map *m, const wm_record *record)
{
    return record->node == 0 && (m->replica == NULL || wm_replica_stands(m->replica, record));
}

bool wm_map_own(wm_map *m, uint32_t hash, const char *key, size_t len, wm_record *out)
{
    return wm_record_store_get(m->store, hash, key, len, out) && stands(m, out);
}

size_t wm_map_next_own(wm_map *m, size_t position, wm_record *out)
{
    do position = wm_record_store_next(m->store, position, out);
    while (position != 0 && !stands(m, out));
    return position;
}

static bool is_newer(void *user, const wm_record *stored)
{
    const wm_timestamp *time = user;
    return time->millis > stored->millis || (time->millis == stored->millis && time->counter > stored->counter);
}

void wm_map_written_again(wm_map *m, uint32_t hash, const char *key, size_t len, uint32_t op)
{
    wm_replica_sight before = before_own(m, key, len);
    wm_record_store_mark(m->store, hash, key, len, 0, 0);
    wm_record_store_written(m->store, hash, key, len, op);
    after_own(m, key, len, &before);
}

int wm_map_restore(wm_map *m, const wm_op_view *view, uint32_t op)
{
    wm_client *c = m->client;
    wm_timestamp time = view->time;
    uint32_t hash = wm_hash_fnv1a(view->key, view->key_len);
    wm_record record = {
        .key = view->key,
        .key_len = (uint32_t)view->key_len,
        .value = view->removed ? NULL : view->value,
        .value_len = view->removed ? 0 : (uint32_t)view->value_len,
        .millis = time.millis,
        .counter = time.counter,
        .op = op,
    };
    if (!wm_timestamp_is_possible(&time)) return WM_EINVAL;
    wm_hlc_update(&c->writer.clock, wm_wall_ms(), time.millis, time.counter);
    if (!wm_client_intern_node(c, time.node, time.node_len, &record.node)) return WM_ENOMEM;
    wm_replica_sight before = before_own(m, view->key, view->key_len);
    int result = wm_record_store_merge(m->store, hash, &record, is_newer, &time);
    /* One that was sent again has the time of the record: that stays, and is followed. */
    if (result == 1) wm_map_written_again(m, hash, view->key, view->key_len, op);
    else if (result == WM_OK) after_own(m, view->key, view->key_len, &before);
    return result;
}
