#include "wire/op_decoding.h"

#include <string.h>

#include "base/msgpack.h"

static bool find(const uint8_t *map, size_t len, const char *name, wm_mp_item *out)
{
    const uint8_t *found;
    size_t found_len;
    wm_mp_reader r;
    if (wm_mp_find(map, len, name, &found, &found_len) < 0 || found == NULL) return false;
    wm_mp_reader_init(&r, found, found_len);
    return wm_mp_read(&r, out) >= 0;
}

static bool find_text(const uint8_t *map, size_t len, const char *name, const char **text, size_t *text_len)
{
    wm_mp_item item;
    if (!find(map, len, name, &item) || item.kind != WM_MP_STR) return false;
    *text = (const char *)item.bytes;
    *text_len = item.len;
    return true;
}

static bool find_number(const uint8_t *map, size_t len, const char *name, uint64_t *out)
{
    wm_mp_item item;
    return find(map, len, name, &item) && wm_mp_as_uint(&item, out);
}

bool wm_op_decode(const uint8_t *bytes, size_t len, wm_op_view *out)
{
    const char *id, *type;
    const uint8_t *record, *time;
    size_t id_len, type_len, record_len, time_len;
    if (wm_mp_find(bytes, len, "record", &record, &record_len) < 0 || record == NULL) return false;
    if (wm_mp_find(record, record_len, "timestamp", &time, &time_len) < 0 || time == NULL) return false;
    if (wm_mp_find(record, record_len, "value", &out->value, &out->value_len) < 0 || out->value == NULL) return false;
    if (!find_text(bytes, len, "id", &id, &id_len) || id_len != WM_OP_ID_LEN) return false;
    if (!find_text(bytes, len, "opType", &type, &type_len)) return false;
    out->removed = type_len == 6 && memcmp(type, "REMOVE", 6) == 0;
    if (!out->removed && (type_len != 3 || memcmp(type, "PUT", 3) != 0)) return false;
    return find_text(bytes, len, "mapName", &out->map_name, &out->map_len) &&
           find_text(bytes, len, "key", &out->key, &out->key_len) &&
           find_number(time, time_len, "millis", &out->time.millis) &&
           find_number(time, time_len, "counter", &out->time.counter) &&
           find_text(time, time_len, "nodeId", &out->time.node, &out->time.node_len);
}

void wm_op_read_kept(const wm_op_template *t, const uint8_t *kept, size_t len, size_t key_len, wm_op_view *out)
{
    const uint8_t *key = kept + wm_op_key_at(key_len), *time = key + key_len;
    uint64_t bits;
    uint32_t counter;
    double millis;
    memcpy(&bits, time, sizeof bits);
    memcpy(&counter, time + sizeof bits, sizeof counter);
    bits = __builtin_bswap64(bits);
    memcpy(&millis, &bits, sizeof millis);
    *out = (wm_op_view){
        .map_name = (const char *)t->bytes + t->map_name_at,
        .map_len = t->map_name_len,
        .key = (const char *)key,
        .key_len = key_len,
        .value = kept + wm_op_kept_head(key_len),
        .value_len = len - wm_op_kept_head(key_len),
        .removed = t->remove,
        .time = {(uint64_t)millis, __builtin_bswap32(counter), (const char *)t->bytes + t->node_id_at, t->node_id_len},
    };
}
