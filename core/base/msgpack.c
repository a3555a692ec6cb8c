#include "base/msgpack.h"

#include <math.h>
#include <string.h>

/* -- bytes in network order -- */

static uint64_t load(const uint8_t *p, int width)
{
    switch (width) {
    case 1:
        return p[0];
    case 2:
        return (uint64_t)p[0] << 8 | p[1];
    case 4: {
        uint32_t v;
        memcpy(&v, p, 4);
        return __builtin_bswap32(v);
    }
    default: {
        uint64_t v;
        memcpy(&v, p, 8);
        return __builtin_bswap64(v);
    }
    }
}

static void store(uint8_t *p, uint64_t v, int width)
{
    if (width == 0) return;
    v = __builtin_bswap64(v) >> (64 - 8 * width);
    switch (width) {
    case 1:
        p[0] = (uint8_t)v;
        break;
    case 2:
        memcpy(p, &v, 2);
        break;
    case 4:
        memcpy(p, &v, 4);
        break;
    default:
        memcpy(p, &v, 8);
    }
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "load() and store() swap bytes: written for little-endian machines"
#endif

/* -- reader -- */

const char *wm_mp_result_text(int result)
{
    switch (result) {
    case WM_MP_OK:
        return "ok";
    case WM_MP_ETRUNCATED:
        return "the MessagePack data ends inside a value";
    case WM_MP_EINVALID:
        return "the byte c1 is not MessagePack";
    case WM_MP_EDEPTH:
        return "MessagePack values are nested too deep";
    default:
        return "unknown MessagePack error";
    }
}

void wm_mp_reader_init(wm_mp_reader *r, const void *bytes, size_t len)
{
    r->pos = bytes;
    r->end = len ? r->pos + len : r->pos;
}

/* Each take_ function gets the position after what it has read so far, moves
 * the reader only on success. */

static int take_bytes(wm_mp_reader *r, const uint8_t *p, uint32_t len, wm_mp_item *out)
{
    if (len > (size_t)(r->end - p)) return WM_MP_ETRUNCATED;
    out->bytes = p;
    out->len = len;
    r->pos = p + len;
    return WM_MP_OK;
}

static int take_sized_bytes(wm_mp_reader *r, const uint8_t *p, int width, wm_mp_item *out)
{
    if ((size_t)(r->end - p) < (size_t)width) return WM_MP_ETRUNCATED;
    return take_bytes(r, p + width, (uint32_t)load(p, width), out);
}

static int take_ext(wm_mp_reader *r, const uint8_t *p, uint32_t len, wm_mp_item *out)
{
    if (r->end == p) return WM_MP_ETRUNCATED;
    out->ext_type = (int8_t)p[0];
    out->kind = WM_MP_EXT;
    return take_bytes(r, p + 1, len, out);
}

static int take_fixext(wm_mp_reader *r, const uint8_t *p, uint32_t len, wm_mp_item *out)
{
    int rc = take_ext(r, p, len, out);
    if (rc == WM_MP_OK && len == 1 && out->ext_type == 0 && out->bytes[0] == 0) out->kind = WM_MP_ABSENT;
    return rc;
}

static int take_sized_ext(wm_mp_reader *r, const uint8_t *p, int width, wm_mp_item *out)
{
    if ((size_t)(r->end - p) < (size_t)width) return WM_MP_ETRUNCATED;
    return take_ext(r, p + width, (uint32_t)load(p, width), out);
}

static int take_count(wm_mp_reader *r, const uint8_t *p, uint32_t count, wm_mp_item *out)
{
    size_t left = (size_t)(r->end - p);
    if (count > (out->kind == WM_MP_MAP ? left / 2 : left)) return WM_MP_ETRUNCATED;
    out->count = count;
    r->pos = p;
    return WM_MP_OK;
}

static int take_sized_count(wm_mp_reader *r, const uint8_t *p, int width, wm_mp_item *out)
{
    if ((size_t)(r->end - p) < (size_t)width) return WM_MP_ETRUNCATED;
    return take_count(r, p + width, (uint32_t)load(p, width), out);
}

static int take_uint(wm_mp_reader *r, const uint8_t *p, int width, wm_mp_item *out)
{
    if ((size_t)(r->end - p) < (size_t)width) return WM_MP_ETRUNCATED;
    out->kind = WM_MP_UINT;
    out->u = load(p, width);
    r->pos = p + width;
    return WM_MP_OK;
}

static int take_int(wm_mp_reader *r, const uint8_t *p, int width, wm_mp_item *out)
{
    if ((size_t)(r->end - p) < (size_t)width) return WM_MP_ETRUNCATED;
    uint64_t raw = load(p, width);
    switch (width) {
    case 1:
        out->i = (int8_t)raw;
        break;
    case 2:
        out->i = (int16_t)raw;
        break;
    case 4:
        out->i = (int32_t)raw;
        break;
    default:
        out->i = (int64_t)raw;
        break;
    }
    /* A value that is not negative has the same bits in .u. */
    out->kind = out->i < 0 ? WM_MP_INT : WM_MP_UINT;
    r->pos = p + width;
    return WM_MP_OK;
}

static int take_float(wm_mp_reader *r, const uint8_t *p, int width, wm_mp_item *out)
{
    if ((size_t)(r->end - p) < (size_t)width) return WM_MP_ETRUNCATED;
    uint64_t raw = load(p, width);
    if (width == 4) {
        uint32_t bits = (uint32_t)raw;
        float f;
        memcpy(&f, &bits, 4);
        out->f = f;
    } else {
        memcpy(&out->f, &raw, 8);
    }
    out->kind = WM_MP_FLOAT;
    r->pos = p + width;
    return WM_MP_OK;
}

static int take_simple(wm_mp_reader *r, const uint8_t *p, wm_mp_kind kind, bool b, wm_mp_item *out)
{
    out->kind = kind;
    out->b = b;
    r->pos = p;
    return WM_MP_OK;
}

int wm_mp_read(wm_mp_reader *r, wm_mp_item *out)
{
    if (r->pos == r->end) return WM_MP_ETRUNCATED;
    const uint8_t *p = r->pos + 1;
    uint8_t lead = *r->pos;

    if (lead < 0x80) {
        out->u = lead;
        return take_simple(r, p, WM_MP_UINT, false, out);
    }
    if (lead >= 0xe0) {
        out->i = (int8_t)lead;
        return take_simple(r, p, WM_MP_INT, false, out);
    }
    if (lead < 0x90) {
        out->kind = WM_MP_MAP;
        return take_count(r, p, lead & 0x0f, out);
    }
    if (lead < 0xa0) {
        out->kind = WM_MP_ARRAY;
        return take_count(r, p, lead & 0x0f, out);
    }
    if (lead < 0xc0) {
        out->kind = WM_MP_STR;
        return take_bytes(r, p, lead & 0x1f, out);
    }
    switch (lead) {
    case 0xc0:
        return take_simple(r, p, WM_MP_NIL, false, out);
    case 0xc1:
        return WM_MP_EINVALID;
    case 0xc2:
    case 0xc3:
        return take_simple(r, p, WM_MP_BOOL, lead == 0xc3, out);
    case 0xc4:
    case 0xc5:
    case 0xc6:
        out->kind = WM_MP_BIN;
        return take_sized_bytes(r, p, 1 << (lead - 0xc4), out);
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return take_sized_ext(r, p, 1 << (lead - 0xc7), out);
    case 0xca:
        return take_float(r, p, 4, out);
    case 0xcb:
        return take_float(r, p, 8, out);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take_uint(r, p, 1 << (lead - 0xcc), out);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_int(r, p, 1 << (lead - 0xd0), out);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return take_fixext(r, p, 1u << (lead - 0xd4), out);
    case 0xd9:
    case 0xda:
    case 0xdb:
        out->kind = WM_MP_STR;
        return take_sized_bytes(r, p, 1 << (lead - 0xd9), out);
    case 0xdc:
    case 0xdd:
        out->kind = WM_MP_ARRAY;
        return take_sized_count(r, p, 2 << (lead - 0xdc), out);
    default: /* 0xde, 0xdf */
        out->kind = WM_MP_MAP;
        return take_sized_count(r, p, 2 << (lead - 0xde), out);
    }
}

static size_t next_power_of_2(uint32_t n)
{
    return n < 2 ? n : (size_t)1 << (32 - __builtin_clz(n - 1));
}

size_t wm_mp_lua_bytes(const wm_mp_item *it)
{
    switch (it->kind) {
    case WM_MP_MAP: return 64 + 24 * next_power_of_2(it->count);
    case WM_MP_ARRAY: return 64 + 8 * (size_t)it->count;
    case WM_MP_STR:
    case WM_MP_BIN: return 25 + (size_t)it->len;
    case WM_MP_EXT: return 256; /* a timestamp: a table of two */
    default: return 0;
    }
}

size_t wm_mp_entries(const wm_mp_item *it)
{
    if (it->kind == WM_MP_MAP) return (size_t)it->count * 2;
    return it->kind == WM_MP_ARRAY ? it->count : 0;
}

void wm_mp_walk_begin(wm_mp_walk *w, const wm_mp_reader *from, int depth)
{
    w->at = *from;
    w->depth = depth > WM_MP_MAX_DEPTH ? WM_MP_MAX_DEPTH : depth;
    w->open = 0;
    w->lua_bytes = w->largest = 0;
}

int wm_mp_walk_on(wm_mp_walk *w, uint32_t *most)
{
    uint64_t *left = w->left;
    int open = w->open;
    wm_mp_item item;
    while (*most > 0) {
        --*most;
        int rc = wm_mp_read(&w->at, &item);
        if (rc != WM_MP_OK) return rc;
        w->lua_bytes += wm_mp_lua_bytes(&item);
        if (item.kind == WM_MP_ARRAY || item.kind == WM_MP_MAP) {
            if (open >= w->depth) return WM_MP_EDEPTH;
            left[open] = wm_mp_entries(&item);
            if (left[open] > w->largest) w->largest = left[open];
            open++;
        } else if (open > 0) {
            left[open - 1]--;
        }
        while (open > 0 && left[open - 1] == 0) {
            open--;
            if (open > 0) left[open - 1]--;
        }
        if (open == 0) return WM_MP_OK;
    }
    w->open = open;
    return 1;
}

int wm_mp_skip_within(wm_mp_reader *r, int depth)
{
    wm_mp_walk w;
    int rc;
    wm_mp_walk_begin(&w, r, depth);
    do {
        uint32_t most = UINT32_MAX;
        rc = wm_mp_walk_on(&w, &most);
    } while (rc > 0);
    if (rc == WM_MP_OK) *r = w.at;
    return rc;
}

int wm_mp_skip(wm_mp_reader *r)
{
    return wm_mp_skip_within(r, WM_MP_MAX_DEPTH);
}

int wm_mp_slice(wm_mp_reader *r, const uint8_t **bytes, size_t *len)
{
    const uint8_t *start = r->pos;
    int rc = wm_mp_skip(r);
    if (rc != WM_MP_OK) return rc;
    *bytes = start;
    *len = (size_t)(r->pos - start);
    return WM_MP_OK;
}

bool wm_mp_as_uint(const wm_mp_item *it, uint64_t *out)
{
    if (it->kind == WM_MP_UINT) {
        *out = it->u;
        return true;
    }
    if (it->kind != WM_MP_FLOAT) return false;
    if (!(it->f >= 0 && it->f < 18446744073709551616.0) || it->f != floor(it->f)) return false;
    *out = (uint64_t)it->f;
    return true;
}

bool wm_mp_is(const wm_mp_item *it, const char *text)
{
    return it->kind == WM_MP_STR && strlen(text) == it->len && memcmp(it->bytes, text, it->len) == 0;
}

static bool is_absent(const uint8_t *bytes, size_t len)
{
    return len == 3 && bytes[0] == 0xd4 && bytes[1] == 0 && bytes[2] == 0;
}

int wm_mp_find(const void *bytes, size_t len, const char *name, const uint8_t **out, size_t *out_len)
{
    *out = NULL;
    *out_len = 0;
    wm_mp_reader r;
    wm_mp_reader_init(&r, bytes, len);
    wm_mp_item item;
    int rc = wm_mp_read(&r, &item);
    if (rc != WM_MP_OK || item.kind != WM_MP_MAP) return rc;

    const uint8_t *found = NULL;
    size_t found_len = 0;
    for (uint32_t left = item.count; left > 0; left--) {
        const uint8_t *key, *value;
        size_t key_len, value_len;
        if ((rc = wm_mp_slice(&r, &key, &key_len)) != WM_MP_OK) return rc;
        if ((rc = wm_mp_slice(&r, &value, &value_len)) != WM_MP_OK) return rc;

        wm_mp_reader key_reader;
        wm_mp_item key_item;
        wm_mp_reader_init(&key_reader, key, key_len);
        if ((rc = wm_mp_read(&key_reader, &key_item)) != WM_MP_OK) return rc;
        if (!wm_mp_is(&key_item, name)) continue;
        found = is_absent(value, value_len) ? NULL : value;
        found_len = found ? value_len : 0;
    }
    *out = found;
    *out_len = found_len;
    return WM_MP_OK;
}

/* -- writer -- */

static void put(wm_buffer *b, uint8_t lead, uint64_t v, int width)
{
    uint8_t *at = wm_buffer_reserve(b, (size_t)width + 1);
    if (at == NULL) return;
    at[0] = lead;
    store(at + 1, v, width);
    b->len += (size_t)width + 1;
}

static void put_byte(wm_buffer *b, uint8_t byte)
{
    put(b, byte, 0, 0);
}

void wm_mp_write_nil(wm_buffer *b)
{
    put_byte(b, 0xc0);
}

void wm_mp_write_bool(wm_buffer *b, bool v)
{
    put_byte(b, v ? 0xc3 : 0xc2);
}

void wm_mp_write_float64(wm_buffer *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    /* One NaN, whatever sign and payload the processor made. */
    if (isnan(v)) bits = UINT64_C(0x7ff8000000000000);
    put(b, 0xcb, bits, 8);
}

/* At most 9 bytes; how many it took. */
static inline uint32_t put_uint(uint8_t *at, uint64_t v)
{
    if (v < 0x80) {
        at[0] = (uint8_t)v;
        return 1;
    }
    int width = v <= UINT8_MAX ? 1 : (v <= UINT16_MAX ? 2 : (v <= UINT32_MAX ? 4 : 8));
    at[0] = (uint8_t)(0xcc + __builtin_ctz((unsigned)width));
    store(at + 1, v, width);
    return 1 + (uint32_t)width;
}

void wm_mp_write_uint64(wm_buffer *b, uint64_t v)
{
    uint8_t *at = wm_buffer_reserve(b, 9);
    if (at != NULL) b->len += put_uint(at, v);
}

void wm_mp_write_int64(wm_buffer *b, int64_t v)
{
    if (v >= 0 && v <= UINT32_MAX) wm_mp_write_uint64(b, (uint64_t)v);
    else if (v >= -32 && v < 0) put_byte(b, (uint8_t)v);
    else if (v >= INT8_MIN && v < 0) put(b, 0xd0, (uint64_t)v, 1);
    else if (v >= INT16_MIN && v < 0) put(b, 0xd1, (uint64_t)v, 2);
    else if (v >= INT32_MIN && v < 0) put(b, 0xd2, (uint64_t)v, 4);
    else put(b, 0xd3, (uint64_t)v, 8);
}

void wm_mp_write_number(wm_buffer *b, double v)
{
    if (v >= INT32_MIN && v <= UINT32_MAX) {
        int64_t whole = (int64_t)v;
        if ((double)whole == v) {
            wm_mp_write_int64(b, whole);
            return;
        }
    }
    wm_mp_write_float64(b, v);
}

/* A header of one byte and a length of `width` bytes, and the bytes themselves,
 * with one look at the buffer's room. */
static void put_bytes(wm_buffer *b, uint8_t lead, int width, const void *bytes, size_t len)
{
    size_t header = (size_t)width + 1;
    uint8_t *at = wm_buffer_reserve(b, header + len);
    if (at == NULL) return;
    at[0] = lead;
    store(at + 1, len, width);
    if (len > 0) memcpy(at + header, bytes, len);
    b->len += header + len;
}

void wm_mp_write_str(wm_buffer *b, const char *s, size_t len)
{
    if (len < 32) put_bytes(b, (uint8_t)(0xa0 | len), 0, s, len);
    else if (len <= UINT8_MAX) put_bytes(b, 0xd9, 1, s, len);
    else if (len <= UINT16_MAX) put_bytes(b, 0xda, 2, s, len);
    else if (len <= UINT32_MAX) put_bytes(b, 0xdb, 4, s, len);
    else b->failed = true;
}

void wm_mp_write_cstr(wm_buffer *b, const char *s)
{
    wm_mp_write_str(b, s, strlen(s));
}

void wm_mp_write_bin(wm_buffer *b, const void *bytes, size_t len)
{
    if (len <= UINT8_MAX) put_bytes(b, 0xc4, 1, bytes, len);
    else if (len <= UINT16_MAX) put_bytes(b, 0xc5, 2, bytes, len);
    else if (len <= UINT32_MAX) put_bytes(b, 0xc6, 4, bytes, len);
    else b->failed = true;
}

void wm_mp_write_array(wm_buffer *b, uint32_t count)
{
    if (count < 16) put_byte(b, (uint8_t)(0x90 | count));
    else if (count <= UINT16_MAX) put(b, 0xdc, count, 2);
    else put(b, 0xdd, count, 4);
}

void wm_mp_write_map(wm_buffer *b, uint32_t count)
{
    if (count < 16) put_byte(b, (uint8_t)(0x80 | count));
    else if (count <= UINT16_MAX) put(b, 0xde, count, 2);
    else put(b, 0xdf, count, 4);
}

void wm_mp_write_raw(wm_buffer *b, const void *bytes, size_t len)
{
    wm_buffer_append(b, bytes, len);
}

uint32_t wm_mp_put_number(uint8_t *at, double v)
{
    if (v >= 0 && v <= UINT32_MAX && (double)(uint32_t)v == v) return put_uint(at, (uint32_t)v);
    wm_buffer b = {.data = at, .cap = 9};
    wm_mp_write_number(&b, v);
    return (uint32_t)b.len;
}

uint32_t wm_mp_put_str(uint8_t *at, const char *s, size_t len)
{
    wm_buffer b = {.data = at, .cap = len + 3};
    wm_mp_write_str(&b, s, len);
    return (uint32_t)b.len;
}
