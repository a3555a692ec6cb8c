#include "base/value_hash.h"

#include <xxhash.h>

#include "base/msgpack.h"

static uint64_t mix(uint64_t kind, const void *bytes, size_t len)
{
    return XXH64(bytes, len, kind);
}

/* Whole numbers by their value as a double, as long as that is exact. */
static uint64_t hash_number(const wm_mp_item *it)
{
    double number = it->kind == WM_MP_FLOAT ? it->f : (it->kind == WM_MP_UINT ? (double)it->u : (double)it->i);
    bool exact = it->kind == WM_MP_FLOAT || (number < 0x1p53 && number > -0x1p53);
    if (!exact) return mix(it->kind, &it->u, sizeof it->u);
    if (number == 0) number = 0; /* -0 */
    return mix(WM_MP_FLOAT, &number, sizeof number);
}

static bool hash_value(wm_mp_reader *r, int depth, uint64_t *out);

static bool hash_array(wm_mp_reader *r, uint32_t count, int depth, uint64_t *out)
{
    uint64_t state[2] = {count, 0};
    for (uint32_t i = 0; i < count; i++) {
        if (!hash_value(r, depth, &state[1])) return false;
        state[0] = mix(WM_MP_ARRAY, state, sizeof state);
    }
    *out = mix(WM_MP_ARRAY, state, sizeof state[0]);
    return true;
}

/* The sum over the pairs: their order does not count. */
static bool hash_map(wm_mp_reader *r, uint32_t count, int depth, uint64_t *out)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t pair[2];
        if (!hash_value(r, depth, &pair[0]) || !hash_value(r, depth, &pair[1])) return false;
        sum += mix(WM_MP_MAP, pair, sizeof pair);
    }
    *out = mix(WM_MP_MAP, &sum, sizeof sum);
    return true;
}

static bool hash_value(wm_mp_reader *r, int depth, uint64_t *out)
{
    wm_mp_item it;
    if (depth > WM_MP_MAX_DEPTH || wm_mp_read(r, &it) < 0) return false;
    switch (it.kind) {
    case WM_MP_ARRAY: return hash_array(r, it.count, depth + 1, out);
    case WM_MP_MAP: return hash_map(r, it.count, depth + 1, out);
    case WM_MP_UINT:
    case WM_MP_INT:
    case WM_MP_FLOAT: *out = hash_number(&it); return true;
    case WM_MP_BOOL: *out = mix(WM_MP_BOOL, &it.b, sizeof it.b); return true;
    case WM_MP_NIL:
    case WM_MP_ABSENT: *out = mix(WM_MP_NIL, "", 0); return true;
    case WM_MP_EXT:
    case WM_MP_STR:
    case WM_MP_BIN: *out = mix(it.kind, it.bytes, it.len); return true;
    }
    return false;
}

bool wm_value_hash(const uint8_t *bytes, size_t len, uint64_t *out)
{
    wm_mp_reader r;
    wm_mp_reader_init(&r, bytes, len);
    return hash_value(&r, 0, out) && r.pos == r.end;
}
