/* Any bytes, read in every way the reader offers: no way may leave the input,
 * all must agree on where a value ends, and what was read as a scalar is read
 * the same after it was written. */
#include <string.h>

#include "base/msgpack.h"
#include "fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_double(double a, double b)
{
    return a == b || (a != a && b != b);
}

static bool same_scalar(const wm_mp_item *a, const wm_mp_item *b)
{
    switch (a->kind) {
    case WM_MP_BOOL:
        return b->kind == WM_MP_BOOL && a->b == b->b;
    case WM_MP_UINT:
        return b->kind == WM_MP_UINT && a->u == b->u;
    case WM_MP_INT:
        return b->kind == WM_MP_INT && a->i == b->i;
    case WM_MP_FLOAT:
        return b->kind == WM_MP_FLOAT && same_double(a->f, b->f);
    case WM_MP_STR:
    case WM_MP_BIN:
        return a->kind == b->kind && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
    default:
        return a->kind == b->kind;
    }
}

static double as_double(const wm_mp_item *it)
{
    if (it->kind == WM_MP_UINT) return (double)it->u;
    return it->kind == WM_MP_INT ? (double)it->i : it->f;
}

/* Extensions and containers are not written: nothing to compare. */
static bool write_scalar(wm_buffer *b, const wm_mp_item *it)
{
    switch (it->kind) {
    case WM_MP_NIL:
        wm_mp_write_nil(b);
        return true;
    case WM_MP_BOOL:
        wm_mp_write_bool(b, it->b);
        return true;
    case WM_MP_UINT:
        wm_mp_write_uint64(b, it->u);
        return true;
    case WM_MP_INT:
        wm_mp_write_int64(b, it->i);
        return true;
    case WM_MP_FLOAT:
        wm_mp_write_float64(b, it->f);
        return true;
    case WM_MP_STR:
        wm_mp_write_str(b, (const char *)it->bytes, it->len);
        return true;
    case WM_MP_BIN:
        wm_mp_write_bin(b, it->bytes, it->len);
        return true;
    default:
        return false;
    }
}

static void check_rewritten(wm_buffer *b, const wm_mp_item *it)
{
    wm_mp_reader r;
    wm_mp_item again;
    wm_buffer_clear(b);
    if (!write_scalar(b, it)) return;
    REQUIRE(!b->failed);
    wm_mp_reader_init(&r, b->data, b->len);
    REQUIRE(wm_mp_read(&r, &again) == WM_MP_OK && r.pos == r.end && same_scalar(it, &again));

    if (it->kind != WM_MP_UINT && it->kind != WM_MP_INT && it->kind != WM_MP_FLOAT) return;
    wm_buffer_clear(b);
    wm_mp_write_number(b, as_double(it));
    wm_mp_reader_init(&r, b->data, b->len);
    REQUIRE(wm_mp_read(&r, &again) == WM_MP_OK && r.pos == r.end);
    REQUIRE(same_double(as_double(it), as_double(&again)));
}

/* Steps over a value by reading it part by part. */
static int walk(wm_mp_reader *r, int depth, wm_buffer *b)
{
    const uint8_t *before = r->pos;
    wm_mp_item it;
    int rc = wm_mp_read(r, &it);
    if (rc != WM_MP_OK) {
        REQUIRE(r->pos == before);
        return rc;
    }
    REQUIRE(r->pos > before && r->pos <= r->end);
    uint64_t whole;
    wm_mp_as_uint(&it, &whole);
    if (it.kind != WM_MP_ARRAY && it.kind != WM_MP_MAP) {
        if (it.kind == WM_MP_STR || it.kind == WM_MP_BIN || it.kind == WM_MP_EXT)
            REQUIRE(it.bytes > before && it.bytes + it.len == r->pos);
        check_rewritten(b, &it);
        return WM_MP_OK;
    }
    if (depth == 0) return WM_MP_EDEPTH;
    uint64_t parts = it.kind == WM_MP_MAP ? (uint64_t)it.count * 2 : it.count;
    REQUIRE(parts <= (uint64_t)(r->end - r->pos));
    for (; parts > 0; parts--)
        if ((rc = walk(r, depth - 1, b)) != WM_MP_OK) return rc;
    return WM_MP_OK;
}

static void check_find(const uint8_t *bytes, size_t len, const char *name)
{
    const uint8_t *out;
    size_t out_len;
    int rc = wm_mp_find(bytes, len, name, &out, &out_len);
    if (out == NULL) {
        REQUIRE(out_len == 0);
        return;
    }
    REQUIRE(rc == WM_MP_OK && out > bytes && out_len > 0 && out_len <= (size_t)(bytes + len - out));
    wm_mp_reader r;
    wm_mp_reader_init(&r, out, out_len);
    REQUIRE(wm_mp_skip(&r) == WM_MP_OK && r.pos == r.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wm_buffer b;
    wm_buffer_init(&b);
    wm_mp_reader r;
    wm_mp_reader_init(&r, data, size);
    while (r.pos != r.end) {
        wm_mp_reader by_skip = r, by_slice = r, by_parts = r;
        const uint8_t *slice = NULL;
        size_t slice_len = 0;
        int rc = wm_mp_skip(&by_skip);
        REQUIRE(wm_mp_slice(&by_slice, &slice, &slice_len) == rc);
        REQUIRE(walk(&by_parts, WM_MP_MAX_DEPTH, &b) == rc);
        REQUIRE(by_slice.pos == by_skip.pos);
        check_find(r.pos, (size_t)(r.end - r.pos), "a");
        check_find(r.pos, (size_t)(r.end - r.pos), "type");
        if (rc != WM_MP_OK) {
            REQUIRE(by_skip.pos == r.pos);
            break;
        }
        REQUIRE(by_parts.pos == by_skip.pos);
        REQUIRE(slice == r.pos && slice + slice_len == by_skip.pos);
        r = by_skip;
    }
    wm_buffer_close(&b);
    return 0;
}
