/* Replicas of a client: what is sent for them, what reaches them, and what they show. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"
#include "wire/message_type.h"

/* While a map does not change: seconds between comparisons with each node. */
#define IDLE_US 30000000u
/* Between comparisons with one node, at least so much for each node that is followed: so a map costs at most one
 * comparison in so many seconds at rest, and six a second while it changes, however many nodes there are. */
#define IDLE_PER_NODE_US 6000000u
#define CHECK_PER_NODE_US 166667u
/* Work of one tick for one replica, and comparisons of one tick for all of them. */
#define LEAVES_AT_ONCE 64u
#define RECORDS_AT_ONCE 2000u
#define COMPARES_AT_ONCE 2u

/* -- what is sent ----------------------------------------------------------------------- */

static void write_root_question(const wm_map *m, wm_buffer *b)
{
    wm_mp_write_map(b, 3);
    wm_message_write_type(b, WM_TYPE_SYNC_INIT);
    wm_mp_write_cstr(b, "mapName");
    wm_mp_write_str(b, m->name, m->name_len);
    wm_mp_write_cstr(b, "lastSyncTimestamp");
    wm_mp_write_number(b, 0);
}

static void write_place_question(const wm_map *m, wm_merkle_place place, wm_buffer *b)
{
    char path[WM_MERKLE_PATH_MAX];
    size_t len = wm_merkle_path_write(place, path);
    wm_mp_write_map(b, 2);
    wm_message_write_type(b, WM_TYPE_MERKLE_REQ_BUCKET);
    wm_mp_write_cstr(b, "payload");
    wm_mp_write_map(b, 2);
    wm_mp_write_cstr(b, "mapName");
    wm_mp_write_str(b, m->name, m->name_len);
    wm_mp_write_cstr(b, "path");
    wm_mp_write_str(b, path, len);
}

static bool ask(wm_map *m, const wm_sync *s, wm_sync_question question, wm_merkle_place place)
{
    wm_client *c = m->client;
    wm_buffer *b = &c->replicas.frame;
    wm_buffer_clear(b);
    if (question == WM_ASK_ROOT) write_root_question(m, b);
    else write_place_question(m, place, b);
    return !b->failed && wm_node_pool_send(c->pool, s->connection, b->data, b->len) == WM_OK;
}

static uint32_t followed(const wm_map *m)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < wm_replica_node_count(m->replica); i++) {
        const wm_sync *s = wm_replica_sync(m->replica, (int)i);
        count += s != NULL && s->state != WM_SYNC_OFF;
    }
    return count;
}

static wm_sync_rhythm rhythm_of(const wm_map *m)
{
    wm_sync_rhythm rhythm = *wm_replica_rhythm(m->replica);
    uint64_t nodes = followed(m), check = CHECK_PER_NODE_US * nodes, idle = IDLE_PER_NODE_US * nodes;
    if (nodes > 3 && check > rhythm.check_us) rhythm.check_us = check;
    if (idle > rhythm.idle_us) rhythm.idle_us = idle;
    return rhythm;
}

static void ask_all(wm_map *m, wm_sync *s, wm_sync_budget *budget)
{
    wm_sync_rhythm rhythm = rhythm_of(m);
    wm_merkle_place place = {0};
    for (;;) {
        wm_sync_question question =
            wm_sync_next(s, &rhythm, wm_replica_seen(m->replica), m->client->now_us, budget, &place);
        if (question == WM_ASK_NOTHING) return;
        if (ask(m, s, question, place)) continue;
        wm_sync_not_sent(s, question, place);
        return;
    }
}

/* -- owners ----------------------------------------------------------------------------- */

/* Two URLs may lead to one node: the index of the usable one. */
static int index_of(const wm_client *c, const char *id)
{
    int count = (int)wm_node_pool_count(c->pool), found = -1;
    for (int i = 0; i < count; i++) {
        if (strcmp(wm_node_pool_id(c->pool, i), id) != 0) continue;
        if (c->connections.all[wm_node_pool_connection_of(c->pool, i, 0)].usable) return i;
        if (found < 0) found = i;
    }
    return found;
}

static bool set_owner(wm_owners *o, uint32_t partition, int node_index)
{
    bool is_other = o->node_index[partition] != node_index;
    o->node_index[partition] = node_index;
    return is_other;
}

/* True when an owner is another one. */
static bool read_owners(wm_client *c, const wm_partition_map *map)
{
    int index[WM_MAP_NODES_MAX];
    wm_owners *o = &c->replicas.owners;
    bool is_changed = false;
    if (o->count != map->partition_count) {
        int *grown = realloc(o->node_index, map->partition_count * sizeof *grown);
        if (grown == NULL) return false;
        *o = (wm_owners){grown, map->partition_count};
        for (uint32_t p = 0; p < o->count; p++) o->node_index[p] = -1;
    }
    for (uint32_t i = 0; i < map->node_count && i < WM_MAP_NODES_MAX; i++) index[i] = index_of(c, map->nodes[i].id);
    for (uint32_t p = 0; p < o->count; p++) {
        uint16_t owner = map->owners[p];
        bool is_known = owner != WM_MAP_NO_NODE && owner < WM_MAP_NODES_MAX;
        is_changed |= set_owner(o, p, is_known ? index[owner] : -1);
    }
    return is_changed;
}

static void refresh_owners(wm_client *c)
{
    const wm_partition_map *map = wm_map_chooser_map(c->chooser);
    if (map == NULL || !read_owners(c, map)) return;
    for (uint32_t i = 0; i < c->replicas.count; i++) wm_replica_owners_changed(c->replicas.maps[i]->replica);
}

/* -- time ------------------------------------------------------------------------------- */

/* Tells the script what the local copy shows since something other than an event changed it. */
static void tell_shown(wm_map *m)
{
    wm_record record;
    wm_change_origin origin;
    while (wm_replica_next_change(m->replica, &record, &origin)) {
        wm_buffer text;
        wm_buffer_init(&text);
        wm_buffer_append(&text, record.key, record.key_len);
        wm_buffer_append(&text, m->name, m->name_len);
        wm_event event = {.type = WM_EVENT_SHOWN, .connection = WM_NO_CONNECTION, .a = (int64_t)record.key_len};
        if (!text.failed) wm_client_event(m->client, event, text.data, text.len);
        wm_buffer_close(&text);
    }
}

static const char *id_of(const void *pool, int node_index)
{
    return wm_node_pool_id(pool, node_index);
}

static const char *url_of(const void *pool, int node_index)
{
    return wm_node_pool_shown_url(pool, node_index);
}

static wm_node_words node_words(const wm_map *m)
{
    return (wm_node_words){id_of, url_of, m->client->pool};
}

static void tend(wm_map *m, wm_sync_budget *budget)
{
    uint32_t most = RECORDS_AT_ONCE;
    wm_replica_work(m->replica, &most);
    if (wm_replica_only_hears(m->replica)) {
        wm_replica_await_echoes(m->replica, m->client->now_us);
        tell_shown(m);
        return;
    }
    if (m->saved != NULL) wm_saved_copy_tend(m->saved, m->replica, node_words(m), m->client->now_us);
    for (uint32_t i = 0; i < wm_replica_node_count(m->replica); i++) {
        wm_sync *s = wm_replica_sync(m->replica, (int)i);
        budget->leaves = LEAVES_AT_ONCE;
        if (s != NULL) ask_all(m, s, budget);
    }
}

void wm_client_tend_replicas(wm_client *c)
{
    wm_replicas *all = &c->replicas;
    wm_sync_budget budget = {.compares = COMPARES_AT_ONCE};
    if (all->count == 0) return;
    refresh_owners(c);
    uint32_t first = (uint32_t)(c->now_us / 20000 % all->count); /* each comes first in turn */
    for (uint32_t i = 0; i < all->count; i++) tend(all->maps[(first + i) % all->count], &budget);
}

/* -- what arrives ----------------------------------------------------------------------- */

/* The sync of a replicated map's node that has this connection. */
static wm_sync *sync_on(const wm_client *c, const wm_map *m, int connection)
{
    wm_sync *s = wm_replica_sync(m->replica, wm_node_pool_node_of(c->pool, connection));
    return s != NULL && s->connection == connection ? s : NULL;
}

static void keep_clock(wm_client *c, const wm_map *m)
{
    wm_hlc latest = wm_replica_latest(m->replica);
    wm_hlc_update(&c->writer.clock, wm_wall_ms(), latest.millis, latest.counter);
}

static wm_map *replicated(const wm_client *c, const char *name, size_t len)
{
    wm_map *m = name != NULL ? wm_client_find_map(c, name, len) : NULL;
    return m != NULL && wm_map_replica(m) != NULL ? m : NULL;
}

bool wm_client_replica_takes_event(wm_client *c, int connection, const uint8_t *bytes, size_t len)
{
    wm_map_event event;
    if (c->replicas.count == 0 || !wm_map_event_read(bytes, len, &event)) return false;
    wm_map *m = replicated(c, event.map, event.map_len);
    if (m == NULL) return false;
    if (sync_on(c, m, connection) == NULL) return true;
    wm_replica_event(m->replica, wm_node_pool_node_of(c->pool, connection), &event, c->now_us);
    keep_clock(c, m);
    return true;
}

static bool takes_answer(wm_client *c, int connection, const wm_message *m)
{
    const wm_message_name *name = &m->names[WM_MESSAGE_MAP];
    wm_map *map = replicated(c, name->text, name->len);
    wm_sync *s = map != NULL ? sync_on(c, map, connection) : NULL;
    wm_sync_budget budget = {.leaves = LEAVES_AT_ONCE};
    if (s == NULL || !wm_sync_awaits(s, m)) return false;
    wm_sync_take(s, m, c->now_us);
    keep_clock(c, map);
    ask_all(map, s, &budget);
    return true;
}

bool wm_client_replica_takes(wm_client *c, int connection, const wm_message *m)
{
    if (c->replicas.count == 0) return false;
    switch (m->type) {
    case WM_TYPE_SERVER_EVENT: return m->payload != NULL && wm_client_replica_takes_event(c, connection, m->payload, m->payload_len);
    case WM_TYPE_SYNC_RESP_ROOT:
    case WM_TYPE_SYNC_RESP_BUCKETS:
    case WM_TYPE_SYNC_RESP_LEAF: return takes_answer(c, connection, m);
    default: return false;
    }
}

void wm_client_replica_acked(wm_client *c, int node_index, const wm_op *op, uint32_t index)
{
    wm_map *m = op->template <c->replicas.template_count ? c->replicas.by_template[op->template] : NULL;
    if (m != NULL) wm_replica_acked(m->replica, node_index, wm_op_key(op), op->key_len, index, c->now_us);
}

void wm_client_replica_hint(wm_client *c, const wm_map *m)
{
    if (m->replica == NULL) return;
    c->now_us = wm_now_us();
    for (uint32_t i = 0; i < wm_replica_node_count(m->replica); i++) {
        wm_sync *s = wm_replica_sync(m->replica, (int)i);
        if (s != NULL && s->state != WM_SYNC_OFF) wm_sync_changed(s, c->now_us);
    }
}

void wm_client_replica_lost(wm_client *c, int connection)
{
    for (uint32_t i = 0; i < c->replicas.count; i++) {
        wm_sync *s = sync_on(c, c->replicas.maps[i], connection);
        if (s != NULL) wm_replica_disconnect(c->replicas.maps[i]->replica, s->node_index);
    }
}

void wm_client_replica_news(const wm_client *c, uint64_t *turns, uint64_t *changes)
{
    *turns = *changes = 0;
    for (uint32_t i = 0; i < c->replicas.count; i++) {
        *turns += wm_replica_turns(c->replicas.maps[i]->replica);
        if (c->replicas.maps[i]->saved != NULL) *turns += wm_saved_copy_turns(c->replicas.maps[i]->saved);
        *changes += wm_replica_changes(c->replicas.maps[i]->replica);
    }
}

/* -- what is shown ---------------------------------------------------------------------- */

bool wm_map_get(wm_map *m, const char *key, size_t len, wm_record *out)
{
    if (m->replica != NULL) return wm_replica_get(m->replica, key, len, out, NULL);
    return wm_record_store_get(m->store, wm_hash_fnv1a(key, len), key, len, out);
}

const char *wm_record_state_name(wm_record_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        WM_RECORD_STATES(X)
#undef X
    };
    return names[state];
}

static wm_record_state state_of(const wm_map *m, const wm_record *record, const wm_replica_place *place)
{
    if (place->is_lost) return WM_RECORD_IS_LOST;
    if (!place->is_own) return WM_RECORD_IS_SYNCED;
    if (wm_map_is_unsettled(m, record)) return WM_RECORD_IS_PENDING;
    if (record->marks & WM_RECORD_REJECTED) return WM_RECORD_IS_REJECTED;
    return record->marks & WM_RECORD_DROPPED ? WM_RECORD_IS_DROPPED : WM_RECORD_IS_ACKNOWLEDGED;
}

bool wm_map_look(wm_map *m, const char *key, size_t len, wm_record *out, wm_record_state *state, int *holder)
{
    wm_replica_place place = {.node_index = -1, .is_own = true};
    bool is_found = m->replica != NULL ? wm_replica_get(m->replica, key, len, out, &place) : wm_map_get(m, key, len, out);
    if (!is_found) return false;
    *state = state_of(m, out, &place);
    *holder = *state == WM_RECORD_IS_ACKNOWLEDGED ? (int)out->acked_by - 1 : place.node_index;
    return true;
}

uint64_t wm_map_next(wm_map *m, uint64_t position, wm_record *out)
{
    return m->replica != NULL ? wm_replica_next(m->replica, position, out) : wm_record_store_next(m->store, (size_t)position, out);
}

size_t wm_map_size(wm_map *m)
{
    return m->replica != NULL ? wm_replica_size(m->replica) : wm_record_store_size(m->store);
}

uint64_t wm_map_record_bytes(wm_map *m)
{
    wm_record record;
    uint64_t bytes = 0;
    for (uint64_t at = wm_map_next(m, 0, &record); at != 0; at = wm_map_next(m, at, &record))
        if (record.value != NULL) bytes += record.key_len + record.value_len;
    return bytes;
}

/* -- life ------------------------------------------------------------------------------- */

static bool is_unsettled(const void *map, const wm_record *own)
{
    return wm_map_is_unsettled(map, own);
}

static bool make_space(wm_replicas *all, const wm_map *m)
{
    uint32_t templates = (m->put_template > m->remove_template ? m->put_template : m->remove_template) + 1;
    wm_map **maps = realloc(all->maps, (all->count + 1) * sizeof *maps);
    if (maps == NULL) return false;
    all->maps = maps;
    if (templates <= all->template_count) return true;
    wm_map **by_template = realloc(all->by_template, templates * sizeof *by_template);
    if (by_template == NULL) return false;
    all->by_template = by_template;
    while (all->template_count < templates) all->by_template[all->template_count++] = NULL;
    return true;
}

static wm_replica_options options_of(const wm_map *m, const wm_map_replica_options *o)
{
    const wm_client *c = m->client;
    return (wm_replica_options){
        .rules = {c->routes.hash, WM_MERKLE_PLAIN, c->routes.count},
        .rhythm = {o->check_us, IDLE_US},
        .merges = c->rules.family == WM_DIALECT_TS,
        .drops_lost = o->drops_lost,
        .space = &m->client->replicas.space,
    };
}

static wm_copy_rules copy_rules(const wm_replica_options *o)
{
    return (wm_copy_rules){o->rules.hash, o->rules.partitions, o->merges};
}

/* While the cluster is not known: the rules by which the records in the file are kept. False when there are none. */
static bool take_saved_rules(const wm_map *m, wm_replica_options *o)
{
    wm_copy_rules rules;
    if (m->saved == NULL || !wm_saved_copy_rules(m->saved, &rules)) return false;
    o->rules.hash = rules.hash;
    o->rules.partitions = rules.partitions;
    o->merges = rules.merges;
    return true;
}

static int begin(wm_map *m, wm_replica_options options)
{
    wm_replicas *all = &m->client->replicas;
    wm_replica_sources sources = {m->store, &m->client->maps.writers, &all->owners, is_unsettled, m};
    if (!make_space(all, m)) return WM_ENOMEM;
    m->replica = wm_replica_new(options, sources);
    if (m->replica == NULL) return WM_ENOMEM;
    if (m->saved != NULL && !options.only_hears) {
        wm_saved_copy_give(m->saved, m->replica, copy_rules(&options));
        keep_clock(m->client, m);
    }
    all->maps[all->count++] = m;
    all->by_template[m->put_template] = all->by_template[m->remove_template] = m;
    refresh_owners(m->client);
    return WM_OK;
}

static void end(wm_map *m)
{
    wm_replicas *all = &m->client->replicas;
    uint32_t i = 0;
    while (all->maps[i] != m) i++;
    all->maps[i] = all->maps[--all->count];
    all->by_template[m->put_template] = all->by_template[m->remove_template] = NULL;
    wm_replica_release(m->replica);
    wm_replica_free(m->replica);
    m->replica = NULL;
    m->tells_own = false;
    for (i = 0; i < all->count; i++) wm_replica_resume(all->maps[i]->replica);
}

static int begin_hearing(wm_map *m)
{
    wm_replica_options options = options_of(m, &(wm_map_replica_options){0});
    options.only_hears = true;
    options.space = NULL;
    if (options.rules.hash == WM_HASH_UNKNOWN) options.rules.hash = WM_HASH_FNV1A; /* any will do for a table */
    int status = begin(m, options);
    if (status == WM_OK) wm_replica_watch(m->replica);
    return status;
}

int wm_map_hear(wm_map *m)
{
    m->hears = true;
    bool is_known = m->client->rules.family != WM_DIALECT_UNKNOWN;
    return m->replica == NULL && is_known ? begin_hearing(m) : WM_OK;
}

void wm_client_hear_maps(wm_client *c)
{
    for (uint32_t i = 0; i < c->maps.count; i++)
        if (c->maps.all[i]->hears) wm_map_hear(c->maps.all[i]); /* out of memory: with the first event */
}

bool wm_client_knows_cluster(const wm_client *c)
{
    return c->rules.family != WM_DIALECT_UNKNOWN && c->routes.hash != WM_HASH_UNKNOWN;
}

bool wm_map_keep(wm_map *m, const char *path, wm_log_error *e)
{
    if (m->saved == NULL) m->saved = wm_saved_copy_open(path, m->name, m->name_len, &m->client->maps.writers, &m->client->replicas.space, e);
    return m->saved != NULL;
}

const wm_saved_copy *wm_map_saved(const wm_map *m)
{
    return m->saved;
}

static void end_saving(wm_map *m)
{
    wm_saved_copy_close(m->saved, wm_map_replica(m), node_words(m), wm_now_us());
    m->saved = NULL;
}

int wm_map_replicate(wm_map *m, const wm_map_replica_options *options)
{
    wm_client *c = m->client;
    wm_replica_options all = options_of(m, options);
    if (wm_map_replica(m) != NULL) return WM_OK;
    if (!wm_client_knows_cluster(c) && !take_saved_rules(m, &all)) return WM_EINVAL;
    if (m->replica != NULL && m->saved == NULL && wm_replica_begin_comparing(m->replica, all)) return WM_OK;
    if (m->replica != NULL) end(m);
    return begin(m, all);
}

int wm_client_take_map_event(wm_client *c, const wm_map_event *event, int connection)
{
    wm_record shown;
    wm_change_origin origin;
    if (c->maps.count == 0) return WM_EINVAL;
    wm_map *m = wm_client_find_map(c, event->map, event->map_len);
    if (m == NULL || wm_map_replica(m) != NULL) return 1; /* a replica takes its events itself */
    m->hears = true;
    if (m->replica == NULL && begin_hearing(m) < 0) return WM_ENOMEM;
    int status = wm_replica_event(m->replica, wm_node_pool_node_of(c->pool, connection), event, c->now_us);
    if (status < 0) return status;
    keep_clock(c, m);
    return wm_replica_next_change(m->replica, &shown, &origin) ? WM_OK : 1;
}

/* A node that was followed at another of its addresses: what is known of it stays. */
static void find_again(wm_map *m, int node_index)
{
    const wm_node_pool *pool = m->client->pool;
    const char *id = wm_node_pool_id(pool, node_index);
    for (uint32_t i = 0; id[0] != 0 && i < wm_replica_node_count(m->replica); i++) {
        wm_sync *s = wm_replica_sync(m->replica, (int)i);
        if (s != NULL && (int)i != node_index && strcmp(wm_node_pool_id(pool, (int)i), id) == 0)
            wm_replica_rename(m->replica, (int)i, node_index);
    }
}

/* What an earlier process knew of the node. */
static void find_saved(wm_map *m, int node_index)
{
    const wm_client *c = m->client;
    wm_saved_copy_check(m->saved, m->replica, (wm_copy_rules){c->routes.hash, c->routes.count, c->rules.family == WM_DIALECT_TS});
    wm_replica_adopt(m->replica, node_index, wm_node_pool_id(c->pool, node_index), wm_node_pool_shown_url(c->pool, node_index));
}

int wm_map_follow(wm_map *m, int connection)
{
    const wm_node_pool *pool = m->client->pool;
    bool is_head = wm_node_pool_connection(pool, connection).release == WM_RELEASE_HEAD;
    int node_index = wm_node_pool_node_of(pool, connection);
    find_again(m, node_index);
    if (m->saved != NULL) find_saved(m, node_index);
    return wm_replica_connect(m->replica, node_index, connection, is_head ? WM_MERKLE_MIXED : WM_MERKLE_PLAIN);
}

void wm_map_end_replica(wm_map *m)
{
    end_saving(m);
    if (wm_map_replica(m) == NULL) return;
    end(m);
    if (m->hears) wm_map_hear(m); /* out of memory: with the next event */
}

void wm_map_watch_own(wm_map *m)
{
    wm_replica_watch(m->replica);
    m->tells_own = true;
}

wm_replica *wm_map_replica(wm_map *m)
{
    return m->replica != NULL && !wm_replica_only_hears(m->replica) ? m->replica : NULL;
}

void wm_client_free_replicas(wm_client *c)
{
    while (c->replicas.count > 0) end(c->replicas.maps[0]);
    free(c->replicas.maps);
    free(c->replicas.by_template);
    free(c->replicas.owners.node_index);
    wm_buffer_close(&c->replicas.frame);
}
