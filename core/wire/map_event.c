#include "wire/map_event.h"

#include "base/msgpack.h"

/* Calls `read` for each field of the map that stands next; of two of a name the last one
 * counts. False when there is no map or a field is not what it should be. */
typedef bool (*read_field)(const wm_mp_item *name, wm_mp_reader *r, wm_map_event *out);

static bool read_map(wm_mp_reader *r, read_field read, wm_map_event *out)
{
    wm_mp_item map, name;
    if (wm_mp_read(r, &map) < 0 || map.kind != WM_MP_MAP) return false;
    for (uint32_t left = map.count; left > 0; left--)
        if (wm_mp_read(r, &name) < 0 || name.kind != WM_MP_STR || !read(&name, r, out)) return false;
    return true;
}

static bool read_text(wm_mp_reader *r, const char **text, size_t *len)
{
    wm_mp_item it;
    if (wm_mp_read(r, &it) < 0 || it.kind != WM_MP_STR) return false;
    *text = (const char *)it.bytes;
    *len = it.len;
    return true;
}

static bool read_number(wm_mp_reader *r, uint64_t *out)
{
    wm_mp_item it;
    return wm_mp_read(r, &it) == 0 && wm_mp_as_uint(&it, out);
}

static bool read_time_field(const wm_mp_item *name, wm_mp_reader *r, wm_map_event *out)
{
    if (wm_mp_is(name, "millis")) return read_number(r, &out->time.millis);
    if (wm_mp_is(name, "counter")) return read_number(r, &out->time.counter);
    if (wm_mp_is(name, "nodeId")) return read_text(r, &out->time.node, &out->time.node_len);
    return wm_mp_skip(r) == 0;
}

static bool read_value(wm_mp_reader *r, wm_map_event *out)
{
    wm_mp_reader peek = *r;
    wm_mp_item it;
    if (wm_mp_read(&peek, &it) < 0 || wm_mp_slice(r, &out->value, &out->value_len) < 0) return false;
    if (it.kind == WM_MP_NIL || it.kind == WM_MP_ABSENT) out->value = NULL;
    return true;
}

static bool read_record_field(const wm_mp_item *name, wm_mp_reader *r, wm_map_event *out)
{
    if (wm_mp_is(name, "value")) return read_value(r, out);
    if (wm_mp_is(name, "timestamp")) return read_map(r, read_time_field, out);
    return wm_mp_skip(r) == 0;
}

bool wm_map_event_read_record(wm_mp_reader *r, wm_map_event *out)
{
    wm_mp_reader peek = *r;
    wm_mp_item it;
    out->value = NULL;
    if (wm_mp_read(&peek, &it) < 0) return false;
    out->has_record = it.kind != WM_MP_NIL && it.kind != WM_MP_ABSENT;
    if (!out->has_record) {
        *r = peek;
        return true;
    }
    out->time = (wm_timestamp){.millis = UINT64_MAX, .counter = UINT64_MAX}; /* not known yet */
    return read_map(r, read_record_field, out) && out->time.millis != UINT64_MAX &&
           out->time.counter != UINT64_MAX && out->time.node != NULL;
}

static bool read_event_field(const wm_mp_item *name, wm_mp_reader *r, wm_map_event *out)
{
    if (wm_mp_is(name, "mapName")) return read_text(r, &out->map, &out->map_len);
    if (wm_mp_is(name, "key")) return read_text(r, &out->key, &out->key_len);
    if (wm_mp_is(name, "record")) return wm_map_event_read_record(r, out);
    if (!wm_mp_is(name, "eventType")) return wm_mp_skip(r) == 0;
    wm_mp_item type;
    if (wm_mp_read(r, &type) < 0 || type.kind != WM_MP_STR) return false;
    out->is_removal = wm_mp_is(&type, "REMOVE");
    out->stamped_on_arrival = wm_mp_is(&type, "PUT");
    return true;
}

bool wm_map_event_read(const uint8_t *bytes, size_t len, wm_map_event *out)
{
    wm_mp_reader r;
    *out = (wm_map_event){0};
    wm_mp_reader_init(&r, bytes, len);
    return read_map(&r, read_event_field, out) && out->map != NULL && out->key != NULL;
}
