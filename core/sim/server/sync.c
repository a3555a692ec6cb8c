#include "sim/server/sync.h"

#include <string.h>

#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/session/reply.h"
#include "sim/session/session.h"
#include "sim/wire/compare.h"
#include "sim/wire/payload.h"
#include "wire/family_rules.h"

#define TOO_OLD_MS (UINT64_C(30) * 24 * 3600 * 1000)
#define ALL_PARTITIONS UINT32_MAX

/* 0.11: older than 30 days means that tombstones may be missing. */
static bool needs_reset(uint64_t last_sync_ms)
{
    return last_sync_ms > 0 && sim_wall_ms() > last_sync_ms + TOO_OLD_MS;
}

static void reply_reset(sim_session *s, const wm_mp_item *map)
{
    wm_buffer *b = sim_begin_payload(s->node->cluster, WM_TYPE_SYNC_RESET_REQUIRED, 1);
    sim_put_pair(b, "mapName", (const char *)map->bytes, map->len);
    sim_session_send(s, b);
}

/* -- the trees that head freezes -- */

static sim_frozen_tree **tree_slot(sim_session *s, const sim_name *map)
{
    sim_frozen_tree **at = &s->trees;
    while (*at != NULL && (*at)->map != map) at = &(*at)->next;
    return at;
}

/* Lists the map anew for this connection. */
static const sim_frozen_tree *freeze(sim_session *s, const sim_name *name, const sim_map *stored)
{
    sim_frozen_tree **at = tree_slot(s, name), *old = *at;
    sim_frozen_tree *t = sim_frozen_tree_new(name, stored, s->node->cluster->options->partitions);
    t->next = old != NULL ? old->next : NULL;
    *at = t;
    if (old != NULL) sim_frozen_tree_free(old);
    return t;
}

/* -- the root -- */

static uint32_t root_of(sim_session *s, const sim_name *name, const sim_map *stored)
{
    if (s->node->cluster->dialect->has_frozen_trees) return wm_merkle_sums_root(freeze(s, name, stored)->sums);
    return stored != NULL ? sim_merkle_root(&stored->merkle) : 0;
}

static void send_late(void *owner, const uint8_t *bytes, size_t len)
{
    wm_buffer message = {.data = (uint8_t *)bytes, .len = len, .cap = len};
    sim_session_send(owner, &message);
}

bool sim_on_sync_init(sim_session *s, const wm_message *m)
{
    sim_node *n = s->node;
    sim_cluster *c = n->cluster;
    bool is_0_11 = c->family == SIM_FAMILY_0_11;
    const uint8_t *field;
    size_t len;
    uint64_t last_sync_ms = 0;
    wm_mp_find(m->body, m->body_len, "mapName", &field, &len);
    wm_mp_item map = sim_item_of(field, len);
    if (map.kind != WM_MP_STR) return false;
    wm_mp_find(m->body, m->body_len, "lastSyncTimestamp", &field, &len);
    wm_mp_item last = sim_item_of(field, len);
    bool is_none = last.kind == WM_MP_ABSENT || (last.kind == WM_MP_NIL && !is_0_11);
    if (!is_none && !wm_mp_as_uint(&last, &last_sync_ms)) return false;
    if (is_0_11 && needs_reset(last_sync_ms)) {
        reply_reset(s, &map);
        return true;
    }

    const sim_name *name = sim_names_get(&c->names, (const char *)map.bytes, map.len);
    n->stats.sync_inits++;
    if (c->dialect->has_frozen_trees && !wm_v2_stores_map(name->text, name->len)) return true;
    sim_map *stored = is_0_11 ? sim_store_map(&n->store, name, SIM_MAP_LWW) : sim_store_find_map(&n->store, name);
    if (is_0_11 && stored->kind == SIM_MAP_OR) {
        sim_reply_error(s, 501, "Merkle sync for ORMap not implemented yet", false);
        return true;
    }
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_SYNC_RESP_ROOT, 3);
    sim_put_pair(b, "mapName", (const char *)map.bytes, map.len);
    sim_put_text(b, "rootHash");
    sim_put_uint(b, c->family, root_of(s, name, stored));
    sim_put_text(b, "timestamp");
    sim_put_now(b, n);
    if (n->faults.root_delay_ms == 0) sim_session_send(s, b);
    else sim_delay_call(&s->delays, n->faults.root_delay_ms, send_late, s, b->data, b->len);
    return true;
}

/* -- places in the trees -- */

/* What there is at a path. */
typedef struct place {
    const sim_merkle_item *first; /* the leaf's items, those of other partitions among them; NULL: it is no leaf */
    uint32_t partitions;          /* how many there are; the items of `partition` count */
    uint32_t partition;           /* or ALL_PARTITIONS */
    uint16_t there;               /* a bit for each child */
    uint32_t sums[16];
    bool known;
} place;

static bool counts(const place *at, const sim_merkle_item *item)
{
    return at->partition == ALL_PARTITIONS || item->key_hash % at->partitions == at->partition;
}

static uint32_t count_items(const place *at)
{
    uint32_t count = 0;
    for (const sim_merkle_item *i = at->first; i != NULL; i = i->next) count += counts(at, i);
    return count;
}

static wm_buffer *begin_answer(sim_session *s, wm_message_type type, const wm_mp_item *map, const wm_mp_item *path)
{
    wm_buffer *b = sim_begin_payload(s->node->cluster, type, 3);
    sim_put_pair(b, "mapName", (const char *)map->bytes, map->len);
    sim_put_pair(b, "path", (const char *)path->bytes, path->len);
    return b;
}

static wm_buffer *begin_leaf(sim_session *s, const wm_mp_item *map, const wm_mp_item *path, uint32_t count)
{
    wm_buffer *b = begin_answer(s, WM_TYPE_SYNC_RESP_LEAF, map, path);
    sim_put_text(b, "records");
    wm_mp_write_array(b, count);
    return b;
}

static void put_leaf_record(wm_buffer *b, sim_family family, const sim_record *r)
{
    sim_put_map(b, family, 2);
    sim_put_pair(b, "key", r->key, r->key_len);
    sim_put_text(b, "record");
    sim_put_record(b, family, r);
}

static void reply_leaf(sim_session *s, const wm_mp_item *map, const wm_mp_item *path, const place *at)
{
    wm_buffer *b = begin_leaf(s, map, path, count_items(at));
    for (const sim_merkle_item *i = at->first; i != NULL; i = i->next)
        if (counts(at, i)) put_leaf_record(b, s->node->cluster->family, (const sim_record *)i);
    sim_session_send(s, b);
}

/* A child's name is its digit; in a partition's tree it is the child's whole path. */
static void put_child(wm_buffer *b, const wm_mp_item *path, const place *at, int child)
{
    char name[sizeof "056/10b"];
    size_t len = at->partition != ALL_PARTITIONS ? path->len : 0; /* of no leaf: one digit fits */
    memcpy(name, path->bytes, len);
    name[len++] = "0123456789abcdef"[child];
    wm_mp_write_str(b, name, len);
}

static void reply_buckets(sim_session *s, const wm_mp_item *map, const wm_mp_item *path, const place *at)
{
    sim_cluster *c = s->node->cluster;
    wm_buffer *b = begin_answer(s, WM_TYPE_SYNC_RESP_BUCKETS, map, path);
    sim_put_text(b, "buckets");
    sim_put_map(b, c->family, (uint32_t)__builtin_popcount(at->there));
    for (int i = 0; i < 16; i++) {
        if (!(at->there & 1u << i)) continue;
        put_child(b, path, at, i);
        sim_put_uint(b, c->family, at->sums[i]);
    }
    sim_session_send(s, b);
}

/* The tree over all partitions: what holds nothing below it is unknown, an emptied leaf too. */
static void look_in_map(const sim_map *map, const wm_mp_item *path, place *at)
{
    const char *digits = (const char *)path->bytes;
    at->first = sim_merkle_leaf_items(&map->merkle, digits, path->len);
    at->there = sim_merkle_children(&map->merkle, digits, path->len, at->sums);
    at->known = at->first != NULL || at->there != 0;
}

/* The tree of one partition: its root is known in every map, and an emptied leaf stays. */
static void look_in_partition(const sim_map *map, const sim_partition_path *path, place *at)
{
    at->partition = path->partition;
    at->known = path->digit_count == 0;
    if (map == NULL) return;
    at->partitions = map->by_partition.count;
    at->known = sim_partition_trees_know(&map->by_partition, path);
    at->there = sim_partition_trees_children(&map->by_partition, path, at->sums);
    if (at->known) at->first = sim_merkle_leaf_items(&map->merkle, path->digits, path->digit_count);
    if (count_items(at) == 0) at->first = NULL;
}

/* The keys are those of the connection's last SYNC_INIT, the records are the present ones. */
static void reply_frozen_leaf(sim_session *s, const wm_mp_item *map, const wm_mp_item *path, const sim_map *stored,
                              const sim_frozen_key *keys, uint32_t count)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < count && stored != NULL; i++)
        left += sim_map_find(stored, keys[i].hash, keys[i].text, keys[i].len) != NULL;
    wm_buffer *b = begin_leaf(s, map, path, left);
    for (uint32_t i = 0; i < count && left > 0; i++) {
        const sim_record *r = sim_map_find(stored, keys[i].hash, keys[i].text, keys[i].len);
        if (r != NULL) put_leaf_record(b, s->node->cluster->family, r);
    }
    sim_session_send(s, b);
}

/* Knows the paths of the whole map only; the first question lists the map, too. */
static void reply_frozen(sim_session *s, const wm_mp_item *map, const wm_mp_item *path, const sim_name *name,
                         const sim_map *stored)
{
    const char *digits = (const char *)path->bytes;
    place at = {.partition = ALL_PARTITIONS};
    uint32_t count;
    if (!wm_v2_stores_map(name->text, name->len)) return;
    const sim_frozen_tree *t = *tree_slot(s, name);
    if (t == NULL) t = freeze(s, name, stored);
    const sim_frozen_key *keys = sim_frozen_tree_leaf(t, digits, path->len, &count);
    at.there = sim_frozen_tree_children(t, digits, path->len, at.sums);
    if (count > 0) reply_frozen_leaf(s, map, path, stored, keys, count);
    else if (at.there != 0) reply_buckets(s, map, path, &at);
}

bool sim_on_merkle_request(sim_session *s, const wm_message *m)
{
    sim_cluster *c = s->node->cluster;
    wm_mp_item map = sim_payload_item(m, "mapName"), path = sim_payload_item(m, "path");
    if (map.kind != WM_MP_STR || path.kind != WM_MP_STR) return false;

    place at = {.partition = ALL_PARTITIONS};
    sim_partition_path in_partition;
    const sim_name *name = sim_names_get(&c->names, (const char *)map.bytes, map.len);
    const sim_map *stored = sim_store_find_map(&s->node->store, name);
    s->node->stats.bucket_requests++;
    if (c->dialect->has_frozen_trees) {
        reply_frozen(s, &map, &path, name, stored);
        return true;
    }
    bool is_of_partition = c->dialect->has_partition_trees &&
                           sim_partition_path_read((const char *)path.bytes, path.len, &in_partition);
    if (is_of_partition) look_in_partition(stored, &in_partition, &at);
    else if (stored != NULL) look_in_map(stored, &path, &at);

    /* Of an unknown path 0.11 has no buckets, v2 does not speak. */
    if (at.first != NULL) reply_leaf(s, &map, &path, &at);
    else if (at.known || c->family == SIM_FAMILY_0_11) reply_buckets(s, &map, &path, &at);
    return true;
}
