#include "sim/wire/compare.h"

#include <string.h>

wm_mp_item sim_item_of(const uint8_t *bytes, size_t len)
{
    wm_mp_reader r;
    wm_mp_item it = {.kind = WM_MP_ABSENT};
    if (bytes == NULL) return it;
    wm_mp_reader_init(&r, bytes, len);
    wm_mp_read(&r, &it);
    return it;
}

void sim_find_field(const uint8_t *value, size_t len, const char *name, size_t name_len, const uint8_t **out,
                    size_t *out_len)
{
    wm_mp_reader r;
    wm_mp_item map, key;
    const uint8_t *bytes;
    size_t size;
    *out = NULL;
    *out_len = 0;
    wm_mp_reader_init(&r, value, len);
    if (wm_mp_read(&r, &map) != WM_MP_OK || map.kind != WM_MP_MAP) return;
    for (uint32_t i = 0; i < map.count; i++) {
        if (wm_mp_read(&r, &key) != WM_MP_OK || wm_mp_slice(&r, &bytes, &size) != WM_MP_OK) return;
        if (key.kind != WM_MP_STR || key.len != name_len || memcmp(key.bytes, name, name_len) != 0) continue;
        *out = bytes;
        *out_len = size;
    }
}

static bool as_number(const wm_mp_item *it, double *out)
{
    if (it->kind == WM_MP_UINT) *out = (double)it->u;
    else if (it->kind == WM_MP_INT) *out = (double)it->i;
    else if (it->kind == WM_MP_FLOAT) *out = it->f;
    else return false;
    return true;
}

bool sim_is_number(const uint8_t *value, size_t len)
{
    double number;
    wm_mp_item it = sim_item_of(value, len);
    return as_number(&it, &number);
}

bool sim_is_falsy(const uint8_t *value, size_t len)
{
    double number;
    wm_mp_item it = sim_item_of(value, len);
    if (as_number(&it, &number)) return number == 0 || number != number;
    return (it.kind == WM_MP_BOOL && !it.b) || (it.kind == WM_MP_STR && it.len == 0);
}

static sim_order order_of(int sign)
{
    return sign < 0 ? SIM_LESS : (sign > 0 ? SIM_GREATER : SIM_EQUAL);
}

sim_order sim_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    double x, y;
    if (a == NULL || b == NULL) return SIM_UNORDERED;
    wm_mp_item ia = sim_item_of(a, a_len), ib = sim_item_of(b, b_len);
    if (as_number(&ia, &x) && as_number(&ib, &y)) return x != x || y != y ? SIM_UNORDERED : order_of((x > y) - (x < y));
    if (ia.kind == ib.kind && (ia.kind == WM_MP_STR || ia.kind == WM_MP_BIN)) {
        int sign = memcmp(ia.bytes, ib.bytes, ia.len < ib.len ? ia.len : ib.len);
        return order_of(sign != 0 ? sign : (ia.len > ib.len) - (ia.len < ib.len));
    }
    return a_len == b_len && memcmp(a, b, a_len) == 0 ? SIM_EQUAL : SIM_UNORDERED;
}
