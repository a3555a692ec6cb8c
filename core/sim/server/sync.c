#include "sim/server/sync.h"

#include <string.h>

#include "sim/server/dialect.h"
#include "sim/server/fields.h"
#include "sim/server/reply.h"
#include "sim/server/session.h"
#include "sim/wire/compare.h"

#define TOO_OLD_MS (UINT64_C(30) * 24 * 3600 * 1000)

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
    sim_map *stored = is_0_11 ? sim_store_map(&n->store, name, SIM_MAP_LWW) : sim_store_find_map(&n->store, name);
    if (is_0_11 && stored->kind == SIM_MAP_OR) {
        sim_reply_error(s, 501, "Merkle sync for ORMap not implemented yet", false);
        return true;
    }
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_SYNC_RESP_ROOT, 3);
    sim_put_pair(b, "mapName", (const char *)map.bytes, map.len);
    sim_put_text(b, "rootHash");
    sim_put_uint(b, c->family, stored != NULL ? sim_merkle_root(&stored->merkle) : 0);
    sim_put_text(b, "timestamp");
    sim_put_now(b, n);
    sim_session_send(s, b);
    return true;
}

static void reply_leaf(sim_session *s, const wm_mp_item *map, const wm_mp_item *path, const sim_merkle_item *first)
{
    sim_cluster *c = s->node->cluster;
    uint32_t count = 0;
    for (const sim_merkle_item *i = first; i != NULL; i = i->next) count++;
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_SYNC_RESP_LEAF, 3);
    sim_put_pair(b, "mapName", (const char *)map->bytes, map->len);
    sim_put_pair(b, "path", (const char *)path->bytes, path->len);
    sim_put_text(b, "records");
    wm_mp_write_array(b, count);
    for (const sim_merkle_item *i = first; i != NULL; i = i->next) {
        const sim_record *r = (const sim_record *)i;
        sim_put_map(b, c->family, 2);
        sim_put_pair(b, "key", r->key, r->key_len);
        sim_put_text(b, "record");
        sim_put_record(b, c->family, r);
    }
    sim_session_send(s, b);
}

static void reply_buckets(sim_session *s, const wm_mp_item *map, const wm_mp_item *path, uint16_t there,
                          const uint32_t sums[16])
{
    sim_cluster *c = s->node->cluster;
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_SYNC_RESP_BUCKETS, 3);
    sim_put_pair(b, "mapName", (const char *)map->bytes, map->len);
    sim_put_pair(b, "path", (const char *)path->bytes, path->len);
    sim_put_text(b, "buckets");
    sim_put_map(b, c->family, (uint32_t)__builtin_popcount(there));
    for (int i = 0; i < 16; i++) {
        if (!(there & 1u << i)) continue;
        char digit[2] = {"0123456789abcdef"[i], '\0'};
        sim_put_text(b, digit);
        sim_put_uint(b, c->family, sums[i]);
    }
    sim_session_send(s, b);
}

bool sim_on_merkle_request(sim_session *s, const wm_message *m)
{
    sim_cluster *c = s->node->cluster;
    const uint8_t *field;
    size_t len;
    uint32_t sums[16] = {0};
    uint16_t there = 0;
    if (m->payload == NULL) return false;
    wm_mp_find(m->payload, m->payload_len, "mapName", &field, &len);
    wm_mp_item map = sim_item_of(field, len);
    wm_mp_find(m->payload, m->payload_len, "path", &field, &len);
    wm_mp_item path = sim_item_of(field, len);
    if (map.kind != WM_MP_STR || path.kind != WM_MP_STR) return false;

    const sim_name *name = sim_names_get(&c->names, (const char *)map.bytes, map.len);
    const sim_map *stored = sim_store_find_map(&s->node->store, name);
    if (stored != NULL) {
        const char *digits = (const char *)path.bytes;
        const sim_merkle_item *first = sim_merkle_leaf_items(&stored->merkle, digits, path.len);
        if (first != NULL) {
            reply_leaf(s, &map, &path, first);
            return true;
        }
        there = sim_merkle_children(&stored->merkle, digits, path.len, sums);
    }
    /* The root is always known; of another unknown path 0.11 has no buckets, v2
     * does not speak. */
    if (there != 0 || path.len == 0 || c->family == SIM_FAMILY_0_11) reply_buckets(s, &map, &path, there, sums);
    return true;
}
