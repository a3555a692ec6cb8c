#include "sim/wire/operation.h"

#include <math.h>
#include <string.h>

static bool is(const wm_mp_item *key, const char *name)
{
    return wm_mp_is(key, name);
}

static bool is_nothing(const wm_mp_item *it)
{
    return it->kind == WM_MP_NIL || it->kind == WM_MP_ABSENT;
}

/* Reads the next value as a scalar or a header, and steps over the whole of it. */
static bool step(wm_mp_reader *r, wm_mp_item *head, const uint8_t **from, size_t *len)
{
    wm_mp_reader peek = *r;
    if (wm_mp_read(&peek, head) != WM_MP_OK) return false;
    if (head->kind != WM_MP_MAP && head->kind != WM_MP_ARRAY) {
        *from = r->pos;
        *len = (size_t)(peek.pos - r->pos);
        *r = peek;
        return true;
    }
    return wm_mp_slice(r, from, len) == WM_MP_OK;
}

static bool required_text(const wm_mp_item *it, sim_span *out)
{
    if (it->kind != WM_MP_STR) return false;
    *out = (sim_span){(const char *)it->bytes, it->len};
    return true;
}

/* 0.11: a string or undefined. v2: a string or nil. */
static bool optional_text(sim_family family, const wm_mp_item *it, sim_span *out)
{
    if (it->kind == WM_MP_ABSENT || (family == SIM_FAMILY_V2 && it->kind == WM_MP_NIL)) return true;
    return required_text(it, out);
}

static bool read_timestamp(const uint8_t *bytes, size_t len, sim_op *out)
{
    wm_mp_reader r;
    wm_mp_item map, key, value;
    const uint8_t *from;
    size_t size;
    int seen = 0;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_read(&r, &map) != WM_MP_OK || map.kind != WM_MP_MAP) return false;
    for (uint32_t i = 0; i < map.count; i++) {
        if (wm_mp_read(&r, &key) != WM_MP_OK || !step(&r, &value, &from, &size)) return false;
        if (is(&key, "millis")) {
            if (!wm_mp_as_uint(&value, &out->millis)) return false;
            seen |= 1;
        } else if (is(&key, "counter")) {
            if (!wm_mp_as_uint(&value, &out->counter)) return false;
            seen |= 2;
        } else if (is(&key, "nodeId")) {
            if (!required_text(&value, &out->node)) return false;
            seen |= 4;
        }
    }
    return seen == 7;
}

/* 0.11 expects a number above 0, which a BigInt is not; v2 a whole number or nil. */
static bool read_ttl(sim_family family, const wm_mp_item *it, const uint8_t *from, double *out)
{
    uint64_t whole;
    if (it->kind == WM_MP_ABSENT || (family == SIM_FAMILY_V2 && it->kind == WM_MP_NIL)) return true;
    if (family == SIM_FAMILY_V2) {
        if (!wm_mp_as_uint(it, &whole)) return false;
        *out = (double)whole;
        return true;
    }
    if (*from == 0xcf || *from == 0xd3) return false;
    if (it->kind == WM_MP_UINT) *out = (double)it->u;
    else if (it->kind == WM_MP_FLOAT) *out = it->f;
    else return false;
    return *out > 0;
}

static bool read_record(sim_family family, const uint8_t *bytes, size_t len, sim_op *out)
{
    wm_mp_reader r;
    wm_mp_item map, key, value;
    const uint8_t *from;
    size_t size;
    bool timed = false;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_read(&r, &map) != WM_MP_OK || map.kind != WM_MP_MAP) return false;
    for (uint32_t i = 0; i < map.count; i++) {
        if (wm_mp_read(&r, &key) != WM_MP_OK || !step(&r, &value, &from, &size)) return false;
        if (is(&key, "value")) {
            out->value = from;
            out->value_len = size;
        } else if (is(&key, "timestamp")) {
            if (!read_timestamp(from, size, out)) return false;
            timed = true;
        } else if (is(&key, "ttlMs")) {
            if (!read_ttl(family, &value, from, &out->ttl_ms)) return false;
        }
    }
    return timed;
}

static bool read_write_concern(const wm_mp_item *it)
{
    static const char *const levels[] = {"FIRE_AND_FORGET", "MEMORY", "APPLIED", "REPLICATED", "PERSISTED"};
    if (is_nothing(it)) return true;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (is(it, levels[i])) return true;
    return false;
}

typedef struct kinds {
    bool or_record;
    bool or_tag;
    sim_span op_type;
} kinds;

static bool read_field(sim_family family, const wm_mp_item *key, wm_mp_reader *r, sim_op *out, kinds *k)
{
    wm_mp_item value;
    const uint8_t *from;
    size_t size;
    if (!step(r, &value, &from, &size)) return false;
    if (key->kind != WM_MP_STR) return true;
    if (is(key, "id")) return optional_text(family, &value, &out->id);
    if (is(key, "key")) return required_text(&value, &out->key);
    if (is(key, "mapName")) return required_text(&value, &out->map);
    if (is(key, "opType")) return optional_text(family, &value, &k->op_type);
    if (is(key, "record")) {
        if (is_nothing(&value)) return true;
        out->has_record = true;
        return read_record(family, from, size, out);
    }
    if (is(key, "orRecord")) {
        k->or_record = !is_nothing(&value);
        return !k->or_record || value.kind == WM_MP_MAP;
    }
    if (is(key, "orTag")) {
        k->or_tag = !is_nothing(&value);
        return !k->or_tag || value.kind == WM_MP_STR;
    }
    if (is(key, "writeConcern")) return read_write_concern(&value);
    if (is(key, "timeout")) return is_nothing(&value) || value.kind == WM_MP_UINT || value.kind == WM_MP_FLOAT;
    return true;
}

static bool same(sim_span s, const char *text)
{
    return s.p != NULL && s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

bool sim_op_read(sim_family family, wm_mp_reader *r, sim_op *out)
{
    static const uint8_t nil = 0xc0;
    wm_mp_item map, key;
    kinds k = {0};
    *out = (sim_op){.value = &nil, .value_len = 1};
    if (wm_mp_read(r, &map) != WM_MP_OK || map.kind != WM_MP_MAP) return false;
    for (uint32_t i = 0; i < map.count; i++)
        if (wm_mp_read(r, &key) != WM_MP_OK || !read_field(family, &key, r, out, &k)) return false;
    if (out->map.p == NULL || out->key.p == NULL) return false;

    out->is_remove = same(k.op_type, "REMOVE");
    if (family == SIM_FAMILY_0_11) out->is_or = same(k.op_type, "OR_ADD") || same(k.op_type, "OR_REMOVE");
    else out->is_or = !out->has_record && (k.or_record || k.or_tag);
    return true;
}
