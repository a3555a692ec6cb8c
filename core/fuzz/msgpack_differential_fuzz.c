/* Any bytes, read by the core and by msgpack-c: both find the same value, or that
 * there is none, and read what the other one writes. */
/* Not <msgpack.h>: ours would be found in its place. */
#include <msgpack/object.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>
#include <msgpack/unpack.h>
#include <stdlib.h>
#include <string.h>

#include "base/msgpack.h"
#include "fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Levels that msgpack-c keeps on its own stack; deeper input it refuses. */
#define DEPTH_MAX 30

static bool is_container(uint8_t lead)
{
    return (lead >= 0x80 && lead < 0xa0) || lead >= 0xdc;
}

/* Reads as far as possible: the depth, and where the first bad item starts. */
static int look(wm_mp_reader *r, int depth, int *deepest)
{
    wm_mp_item it;
    int rc = wm_mp_read(r, &it);
    if (rc != WM_MP_OK || (it.kind != WM_MP_ARRAY && it.kind != WM_MP_MAP)) return rc;
    if (depth + 1 > *deepest) *deepest = depth + 1;
    if (depth == WM_MP_MAX_DEPTH) return WM_MP_EDEPTH;
    uint64_t parts = it.kind == WM_MP_MAP ? (uint64_t)it.count * 2 : it.count;
    for (; parts > 0; parts--)
        if ((rc = look(r, depth + 1, deepest)) != WM_MP_OK) return rc;
    return WM_MP_OK;
}

static bool same_bytes(const wm_mp_item *it, const char *bytes, uint32_t len)
{
    return it->len == len && (len == 0 || memcmp(it->bytes, bytes, len) == 0);
}

static bool same_float(double a, double b)
{
    return a == b || (a != a && b != b);
}

static void compare(wm_mp_reader *r, const msgpack_object *o)
{
    wm_mp_item it;
    REQUIRE(wm_mp_read(r, &it) == WM_MP_OK);
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        REQUIRE(it.kind == WM_MP_NIL);
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        REQUIRE(it.kind == WM_MP_BOOL && it.b == o->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        REQUIRE(it.kind == WM_MP_UINT && it.u == o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        REQUIRE(it.kind == WM_MP_INT && it.i == o->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        REQUIRE(it.kind == WM_MP_FLOAT && same_float(it.f, o->via.f64));
        break;
    case MSGPACK_OBJECT_STR:
        REQUIRE(it.kind == WM_MP_STR && same_bytes(&it, o->via.str.ptr, o->via.str.size));
        break;
    case MSGPACK_OBJECT_BIN:
        REQUIRE(it.kind == WM_MP_BIN && same_bytes(&it, o->via.bin.ptr, o->via.bin.size));
        break;
    case MSGPACK_OBJECT_EXT:
        REQUIRE(it.kind == WM_MP_EXT || it.kind == WM_MP_ABSENT);
        REQUIRE(it.ext_type == o->via.ext.type && same_bytes(&it, o->via.ext.ptr, o->via.ext.size));
        break;
    case MSGPACK_OBJECT_ARRAY:
        REQUIRE(it.kind == WM_MP_ARRAY && it.count == o->via.array.size);
        for (uint32_t i = 0; i < it.count; i++) compare(r, &o->via.array.ptr[i]);
        break;
    case MSGPACK_OBJECT_MAP:
        REQUIRE(it.kind == WM_MP_MAP && it.count == o->via.map.size);
        for (uint32_t i = 0; i < it.count; i++) {
            compare(r, &o->via.map.ptr[i].key);
            compare(r, &o->via.map.ptr[i].val);
        }
        break;
    default:
        abort();
    }
}

/* The same value in our words. Extensions, which are never written, become nil. */
static void write(wm_buffer *b, wm_mp_reader *r)
{
    wm_mp_item it;
    REQUIRE(wm_mp_read(r, &it) == WM_MP_OK);
    uint64_t parts = 0;
    switch (it.kind) {
    case WM_MP_BOOL:
        wm_mp_write_bool(b, it.b);
        break;
    case WM_MP_UINT:
        wm_mp_write_uint64(b, it.u);
        break;
    case WM_MP_INT:
        wm_mp_write_int64(b, it.i);
        break;
    case WM_MP_FLOAT:
        wm_mp_write_float64(b, it.f);
        break;
    case WM_MP_STR:
        wm_mp_write_str(b, (const char *)it.bytes, it.len);
        break;
    case WM_MP_BIN:
        wm_mp_write_bin(b, it.bytes, it.len);
        break;
    case WM_MP_ARRAY:
        wm_mp_write_array(b, it.count);
        parts = it.count;
        break;
    case WM_MP_MAP:
        wm_mp_write_map(b, it.count);
        parts = (uint64_t)it.count * 2;
        break;
    default:
        wm_mp_write_nil(b);
        break;
    }
    for (; parts > 0; parts--) write(b, r);
}

/* What msgpack-c reads in these bytes is what we read in them. */
static void require_same(const uint8_t *bytes, size_t len)
{
    msgpack_unpacked theirs;
    wm_mp_reader r;
    size_t used = 0;
    msgpack_unpacked_init(&theirs);
    REQUIRE(msgpack_unpack_next(&theirs, (const char *)bytes, len, &used) == MSGPACK_UNPACK_SUCCESS && used == len);
    wm_mp_reader_init(&r, bytes, len);
    compare(&r, &theirs.data);
    REQUIRE(r.pos == r.end);
    msgpack_unpacked_destroy(&theirs);
}

static void check_written(const uint8_t *bytes, size_t len)
{
    wm_buffer ours;
    wm_mp_reader r;
    wm_buffer_init(&ours);
    wm_mp_reader_init(&r, bytes, len);
    write(&ours, &r);
    REQUIRE(!ours.failed);
    require_same(ours.data, ours.len);
    wm_buffer_close(&ours);
}

static void check_packed(const msgpack_object *o)
{
    msgpack_sbuffer theirs;
    msgpack_packer packer;
    msgpack_sbuffer_init(&theirs);
    msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
    REQUIRE(msgpack_pack_object(&packer, *o) == 0);
    wm_mp_reader r;
    wm_mp_reader_init(&r, theirs.data, theirs.size);
    compare(&r, o);
    REQUIRE(r.pos == r.end);
    msgpack_sbuffer_destroy(&theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wm_mp_reader r;
    wm_mp_reader_init(&r, data, size);
    int deepest = 0;
    int rc = look(&r, 0, &deepest);
    if (deepest > DEPTH_MAX) return 0;
    /* A count that exceeds what is left is an error to us at once; msgpack-c would
     * first take memory for it. */
    if (rc == WM_MP_ETRUNCATED && r.pos != r.end && is_container(*r.pos)) return 0;
    /* An extension of 2^32 - 1 bytes: with its type it is one byte too long for
     * msgpack-c to count, which calls it malformed. */
    static const uint8_t widest[] = {0xc9, 0xff, 0xff, 0xff, 0xff};
    if (r.end - r.pos >= 5 && memcmp(r.pos, widest, sizeof widest) == 0) return 0;

    msgpack_unpacked theirs;
    size_t used = 0;
    msgpack_unpacked_init(&theirs);
    msgpack_unpack_return result = msgpack_unpack_next(&theirs, (const char *)data, size, &used);
    if (rc == WM_MP_OK) {
        size_t len = (size_t)(r.pos - data);
        REQUIRE(result == MSGPACK_UNPACK_SUCCESS || result == MSGPACK_UNPACK_EXTRA_BYTES);
        REQUIRE(used == len);
        wm_mp_reader again;
        wm_mp_reader_init(&again, data, len);
        compare(&again, &theirs.data);
        check_packed(&theirs.data);
        check_written(data, len);
    } else {
        REQUIRE(result == (rc == WM_MP_EINVALID ? MSGPACK_UNPACK_PARSE_ERROR : MSGPACK_UNPACK_CONTINUE));
    }
    msgpack_unpacked_destroy(&theirs);
    return 0;
}
