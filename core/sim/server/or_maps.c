#include "sim/server/or_maps.h"

#include "base/msgpack.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/session/session.h"
#include "sim/wire/encoding.h"
#include "sim/wire/payload.h"

static void put_empty_list(wm_buffer *b, const char *name)
{
    sim_put_text(b, name);
    wm_mp_write_array(b, 0);
}

static void put_empty_entry(wm_buffer *b, sim_family family, const wm_mp_item *key)
{
    sim_put_map(b, family, 3);
    sim_put_pair(b, "key", (const char *)key->bytes, key->len);
    put_empty_list(b, "records");
    put_empty_list(b, "tombstones");
}

static bool are_texts(wm_mp_reader keys, uint32_t count)
{
    wm_mp_item key;
    for (uint32_t i = 0; i < count; i++)
        if (wm_mp_read(&keys, &key) != 0 || key.kind != WM_MP_STR) return false;
    return true;
}

bool sim_on_or_map_diff_request(sim_session *s, const wm_message *m)
{
    sim_cluster *c = s->node->cluster;
    const uint8_t *field = NULL;
    size_t len = 0;
    wm_mp_reader keys;
    wm_mp_item list, key, map = sim_payload_item(m, "mapName");
    if (c->family == SIM_FAMILY_0_11) return true;
    if (m->payload != NULL) wm_mp_find(m->payload, m->payload_len, "keys", &field, &len);
    wm_mp_reader_init(&keys, field, len);
    bool is_list = wm_mp_read(&keys, &list) == 0 && list.kind == WM_MP_ARRAY;
    if (map.kind != WM_MP_STR || !is_list || !are_texts(keys, list.count)) return false;

    bool has_epoch = c->dialect->has_frozen_trees; /* a sign of disk storage */
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_ORMAP_DIFF_RESPONSE, has_epoch ? 3 : 2);
    sim_put_pair(b, "mapName", (const char *)map.bytes, map.len);
    sim_put_text(b, "entries");
    wm_mp_write_array(b, list.count);
    for (uint32_t i = 0; i < list.count; i++) {
        wm_mp_read(&keys, &key);
        put_empty_entry(b, c->family, &key);
    }
    if (has_epoch) {
        sim_put_text(b, "coveringEpoch");
        sim_put_uint(b, c->family, 1);
    }
    sim_session_send(s, b);
    return true;
}
