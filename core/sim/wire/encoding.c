#include "sim/wire/encoding.h"

#include <math.h>
#include <string.h>

#include "base/msgpack.h"
#include "base/utf8.h"

#define TIMESTAMP_EXTENSION (-1)
#define MAP16_MAX 65535

static void put_byte(wm_buffer *b, uint8_t byte)
{
    wm_buffer_append(b, &byte, 1);
}

static void put_big_endian(wm_buffer *b, uint8_t lead, uint64_t v, int width)
{
    uint8_t bytes[9] = {lead};
    for (int i = width; i > 0; i--) {
        bytes[i] = (uint8_t)v;
        v >>= 8;
    }
    wm_buffer_append(b, bytes, (size_t)width + 1);
}

void sim_put_map(wm_buffer *b, sim_family family, uint32_t count)
{
    if (family == SIM_FAMILY_0_11) put_big_endian(b, 0xde, count, 2);
    else wm_mp_write_map(b, count);
}

void sim_put_uint(wm_buffer *b, sim_family family, uint64_t v)
{
    if (family == SIM_FAMILY_0_11) wm_mp_write_number(b, (double)v);
    else wm_mp_write_uint64(b, v);
}

void sim_put_undefined(wm_buffer *b)
{
    static const uint8_t undefined[] = {0xd4, 0x00, 0x00};
    wm_buffer_append(b, undefined, sizeof undefined);
}

void sim_put_text(wm_buffer *b, const char *text)
{
    wm_mp_write_str(b, text, strlen(text));
}

/* -- reading a family's frames into its own encoding -- */

static void put_repaired(wm_buffer *b, const uint8_t *p, size_t len)
{
    wm_buffer text;
    wm_buffer_init(&text);
    while (len > 0) {
        uint32_t c;
        size_t n = wm_utf8_read(p, len, &c);
        if (n == 0) wm_buffer_append(&text, "\xef\xbf\xbd", 3);
        else wm_buffer_append(&text, p, n);
        if (n == 0) n = 1;
        p += n;
        len -= n;
    }
    wm_mp_write_str(b, (const char *)text.data, text.len);
    wm_buffer_close(&text);
}

static bool put_string(wm_buffer *b, sim_family family, const wm_mp_item *it)
{
    if (wm_utf8_valid(it->bytes, it->len)) wm_mp_write_str(b, (const char *)it->bytes, it->len);
    else if (family == SIM_FAMILY_0_11) put_repaired(b, it->bytes, it->len);
    else return false;
    return true;
}

static bool put_extension(wm_buffer *b, sim_family family, const wm_mp_item *it, const uint8_t *from, size_t len)
{
    if (family == SIM_FAMILY_V2 || it->ext_type != TIMESTAMP_EXTENSION) return false;
    wm_buffer_append(b, from, len);
    return true;
}

/* On the 0.11 server a 64-bit integer of the wire is a BigInt, whatever its
 * size, and leaves as int64, or as uint64 above 2^63-1. */
static void put_integer(wm_buffer *b, sim_family family, const wm_mp_item *it, uint8_t lead)
{
    bool wide = lead == 0xcf || lead == 0xd3;
    if (family == SIM_FAMILY_0_11 && wide) {
        uint64_t bits = it->kind == WM_MP_UINT ? it->u : (uint64_t)it->i;
        put_big_endian(b, it->kind == WM_MP_UINT && it->u > INT64_MAX ? 0xcf : 0xd3, bits, 8);
    } else if (it->kind == WM_MP_UINT) {
        wm_mp_write_uint64(b, it->u);
    } else {
        wm_mp_write_int64(b, it->i);
    }
}

static void put_float(wm_buffer *b, sim_family family, double v)
{
    if (family == SIM_FAMILY_V2) wm_mp_write_float64(b, v);
    else if (v == 0) put_byte(b, 0);
    else wm_mp_write_number(b, v);
}

/* The depth was bounded by wm_mp_skip before, so a counter per level is not
 * needed: `left` counts values still to come over all levels. */
int sim_recode(sim_family family, const uint8_t *bytes, size_t len, wm_buffer *out)
{
    wm_mp_reader r;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_skip(&r) != WM_MP_OK || r.pos != r.end) return SIM_RECODE_EMALFORMED;
    wm_mp_reader_init(&r, bytes, len);

    for (uint64_t left = 1; left > 0; left--) {
        wm_mp_item it;
        const uint8_t *from = r.pos;
        if (wm_mp_read(&r, &it) != WM_MP_OK) return SIM_RECODE_EMALFORMED;
        switch (it.kind) {
        case WM_MP_NIL:
            wm_mp_write_nil(out);
            break;
        case WM_MP_BOOL:
            wm_mp_write_bool(out, it.b);
            break;
        case WM_MP_UINT:
        case WM_MP_INT:
            put_integer(out, family, &it, *from);
            break;
        case WM_MP_FLOAT:
            put_float(out, family, it.f);
            break;
        case WM_MP_STR:
            if (!put_string(out, family, &it)) return SIM_RECODE_EMALFORMED;
            break;
        case WM_MP_BIN:
            wm_mp_write_bin(out, it.bytes, it.len);
            break;
        case WM_MP_ARRAY:
            wm_mp_write_array(out, it.count);
            left += it.count;
            break;
        case WM_MP_MAP:
            if (family == SIM_FAMILY_0_11 && it.count > MAP16_MAX) return SIM_RECODE_EMALFORMED;
            sim_put_map(out, family, it.count);
            left += (uint64_t)it.count * 2;
            break;
        case WM_MP_EXT:
            if (!put_extension(out, family, &it, from, (size_t)(r.pos - from))) return SIM_RECODE_EMALFORMED;
            break;
        case WM_MP_ABSENT:
            if (family == SIM_FAMILY_V2) return SIM_RECODE_EMALFORMED;
            sim_put_undefined(out);
            break;
        }
    }
    return out->failed ? SIM_RECODE_EMALFORMED : 0;
}
