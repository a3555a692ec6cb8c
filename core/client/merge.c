/* What becomes of records: those that servers tell of, those of the op log's file, and those of
 * writes whose order a server may have changed. */
#include <string.h>

#include "base/status.h"
#include "base/value_hash.h"
#include "client/state.h"

/* Millis beyond this (year 10889) cannot be a time; a hostile one must not drag
 * the clock. */
#define MILLIS_MAX ((uint64_t)1 << 48)
/* Ids of nodes and clients are kept for good, so that hostile ones must not be long. */
#define NODE_NAME_MAX 256u

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

void wm_client_note_indoubt(wm_client *c, const wm_op *op)
{
    wm_op_view view = wm_oplog_read(c->log, op);
    if (c->indoubt.writes == NULL) c->indoubt.writes = wm_indoubt_writes_new();
    if (c->indoubt.writes == NULL) return;
    const uint8_t *value = view.removed ? wm_removed_value : view.value;
    size_t value_len = view.removed ? sizeof wm_removed_value : view.value_len;
    wm_indoubt_writes_add(c->indoubt.writes, view.map_name, view.map_len, view.key, view.key_len, value, value_len,
                          c->now_us / 1000);
}

bool wm_map_is_indoubt(const wm_map *m, const char *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    const wm_indoubt_writes *d = m->client->indoubt.writes;
    return d != NULL && wm_indoubt_writes_has(d, m->name, m->name_len, key, key_len, value, value_len);
}

static bool has_same_value(const wm_record *a, const wm_record *b)
{
    uint64_t of_a, of_b;
    if (a->value == NULL || b->value == NULL) return a->value == b->value;
    return wm_value_hash(a->value, a->value_len, &of_a) && wm_value_hash(b->value, b->value_len, &of_b) && of_a == of_b;
}

/* What wm_record.echoed_by is for a connection. */
static uint16_t echo_mark(int connection)
{
    return connection >= 0 && connection < UINT16_MAX ? (uint16_t)(connection + 1) : 0;
}

/* Notes that the server sent our own record back on this connection. */
static void note_echo(wm_map *m, uint32_t hash, const char *key, size_t key_len, int connection)
{
    if (connection != WM_NO_CONNECTION) wm_record_store_set_echoed_by(m->store, hash, key, key_len, echo_mark(connection));
}

/* Whether a map event is an earlier write of this client that reached the server late. */
static bool is_late_arrival(const wm_map *m, const wm_record *event)
{
    wm_indoubt_writes *d = m->client->indoubt.writes;
    if (d == NULL) return false;
    const uint8_t *value = event->value == NULL ? wm_removed_value : event->value;
    size_t value_len = event->value == NULL ? sizeof wm_removed_value : event->value_len;
    return wm_indoubt_writes_arrived(d, m->name, m->name_len, event->key, event->key_len, value, value_len,
                                     wm_now_us() / 1000);
}

/* How long after our write (ms) an event of its key, on a connection that has not echoed the write yet,
 * counts as older than the write. The echo and the acknowledgement arrive together but for the order
 * in which sockets are served. If the echo never comes, because nobody was subscribed yet, writes of
 * other clients are ignored for so long. */
#define ECHO_MS 2000u

uint64_t wm_client_record_ms(const wm_client *c)
{
    uint64_t wall_ms = wm_wall_ms(); /* the clock may be ahead of it */
    return wall_ms > c->writer.clock.millis ? wall_ms : c->writer.clock.millis;
}

/* Whether an event of the key on this connection is older than our stored write. A v2 server echoes each
 * write to the writer's other connections, in the order of the key's writes and without the time that
 * the writer gave it. So an event that comes before the echo is older than our write, though that was
 * acknowledged on another connection already: if it were merged, an earlier removal of ours would undo the
 * later write. There is no echo on the connection that our writes of the key are sent on, nor on one that was
 * subscribed after the acknowledgement: writes from before its subscription are taken for such, as a write that is
 * not acknowledged yet stays anyway. */
static bool is_before_ours(const wm_map *m, const wm_record *stored, int connection)
{
    const wm_client *c = m->client;
    if (connection == WM_NO_CONNECTION || stored->node != 0 || stored->echoed_by == echo_mark(connection)) return false;
    uint32_t partition = wm_route_table_partition_of(&c->routes, stored->key, stored->key_len);
    if (c->routes.all[partition].connection == connection) return false;
    if (stored->millis < c->connections.all[connection].hears_since_ms) return false;
    return wm_client_record_ms(c) - stored->millis < ECHO_MS;
}

typedef struct comparison {
    const wm_map *map;
    const wm_record *record;
    const wm_timestamp *time;
    bool stamped_on_arrival;
    int connection;
    bool is_echo; /* the event is our own stored record */
} comparison;

/* Whether our own record stays as it is, with this client as its writer, so that client:repair
 * finds it. */
static bool stays(comparison *x, const wm_record *stored)
{
    if (!x->stamped_on_arrival || stored->node != 0) return false;
    x->is_echo = has_same_value(stored, x->record);
    return x->is_echo || wm_map_is_unsettled(x->map, stored) || is_before_ours(x->map, stored, x->connection) ||
           is_late_arrival(x->map, x->record);
}

static bool is_newer(void *user, const wm_record *stored)
{
    comparison *x = user;
    if (stays(x, stored)) return false;
    const char *node = x->map->client->maps.writers.all[stored->node];
    wm_timestamp held = {stored->millis, stored->counter, node, strlen(node)};
    return wm_timestamp_compare(x->time, &held) > 0;
}

static int merge(wm_map *m, wm_record *record, const wm_timestamp *time, bool stamped_on_arrival, int connection)
{
    wm_client *c = m->client;
    if (time->millis > MILLIS_MAX || time->counter > UINT32_MAX) return WM_EINVAL;
    if (time->node_len > NODE_NAME_MAX || memchr(time->node, 0, time->node_len) != NULL) return WM_EINVAL;
    wm_hlc_update(&c->writer.clock, wm_wall_ms(), time->millis, time->counter);
    record->millis = time->millis;
    record->counter = time->counter;
    if (!wm_client_intern_node(c, time->node, time->node_len, &record->node)) return WM_ENOMEM;
    comparison user = {m, record, time, stamped_on_arrival, connection, false};
    uint32_t hash = wm_hash_fnv1a(record->key, record->key_len);
    int result = wm_record_store_merge(m->store, hash, record, is_newer, &user);
    if (user.is_echo) note_echo(m, hash, record->key, record->key_len, connection);
    return result;
}

int wm_map_merge(wm_map *m, const char *key, size_t key_len, const uint8_t *value, size_t value_len,
                 const wm_timestamp *time, bool stamped_on_arrival, int connection)
{
    wm_record record = {
        .key = key,
        .key_len = (uint32_t)key_len,
        .value = value,
        .value_len = (uint32_t)value_len,
    };
    return merge(m, &record, time, stamped_on_arrival, connection);
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
    int result = merge(m, &record, &view->time, false, WM_NO_CONNECTION);
    /* One that was sent again has the time of the record: that stays, and is followed. */
    if (result == 1) wm_record_store_written(m->store, wm_hash_fnv1a(view->key, view->key_len), view->key, view->key_len, op);
    return result;
}

int wm_map_forget(wm_map *m, const char *key, size_t key_len, int connection)
{
    uint32_t hash = wm_hash_fnv1a(key, key_len);
    wm_record record;
    if (!wm_record_store_get(m->store, hash, key, key_len, &record)) return 1;
    if (record.value == NULL) {
        if (record.node == 0) note_echo(m, hash, key, key_len, connection);
        return 1;
    }
    if (wm_map_is_unsettled(m, &record) || is_before_ours(m, &record, connection)) return 1;
    bool is_own = record.node == 0;
    record.value = NULL;
    record.value_len = 0;
    record.key = key;
    record.op = WM_NO_OP; /* none of ours writes this */
    if (is_own && is_late_arrival(m, &record)) return 1;
    return wm_record_store_put(m->store, hash, &record);
}

int wm_client_take_map_event(wm_client *c, const wm_map_event *event, int connection)
{
    if (c->maps.count == 0) return WM_EINVAL;
    wm_map *m = wm_client_find_map(c, event->map, event->map_len);
    if (m == NULL || m->replica != NULL) return 1; /* a replica takes its events itself */
    if (event->has_record)
        return wm_map_merge(m, event->key, event->key_len, event->value, event->value_len, &event->time,
                            event->stamped_on_arrival, connection);
    return event->is_removal ? wm_map_forget(m, event->key, event->key_len, connection) : 1;
}
