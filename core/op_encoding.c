#include "op_encoding.h"

#include <stdlib.h>
#include <string.h>

#include "msgpack.h"

/* One run of bytes between the key and the value; the two places in it where
 * the time goes. */
typedef struct tail {
    uint8_t *bytes;
    size_t len;
    size_t millis_at; /* 8 bytes of a float64 */
    size_t counter_at; /* 4 bytes of a uint32 */
} tail;

struct wm_op_template {
    tail put;
    tail remove;
};

static bool build_tail(tail *t, const char *op_type, const char *map_name, size_t map_len, const char *node_id)
{
    wm_buffer b;
    wm_buffer_init(&b);
    wm_mp_write_cstr(&b, "mapName");
    wm_mp_write_str(&b, map_name, map_len);
    wm_mp_write_cstr(&b, "opType");
    wm_mp_write_cstr(&b, op_type);
    wm_mp_write_cstr(&b, "record");
    wm_mp_write_map(&b, 2);
    wm_mp_write_cstr(&b, "timestamp");
    wm_mp_write_map(&b, 3);
    wm_mp_write_cstr(&b, "millis");
    t->millis_at = b.len + 1;
    wm_mp_write_float64(&b, 0);
    wm_mp_write_cstr(&b, "counter");
    t->counter_at = b.len + 1;
    wm_buffer_append(&b, "\xce\0\0\0\0", 5); /* fixed width: it is patched for each operation */
    wm_mp_write_cstr(&b, "nodeId");
    wm_mp_write_cstr(&b, node_id);
    wm_mp_write_cstr(&b, "value");
    t->bytes = b.data;
    t->len = b.len;
    return !b.failed;
}

wm_op_template *wm_op_template_new(const char *map_name, size_t map_len, const char *node_id)
{
    wm_op_template *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    if (build_tail(&t->put, "PUT", map_name, map_len, node_id) &&
        build_tail(&t->remove, "REMOVE", map_name, map_len, node_id))
        return t;
    wm_op_template_free(t);
    return NULL;
}

void wm_op_template_free(wm_op_template *t)
{
    if (t == NULL) return;
    free(t->put.bytes);
    free(t->remove.bytes);
    free(t);
}

size_t wm_op_head_size(const wm_op_template *t, size_t key_len)
{
    return WM_OP_START_LEN + 3 + key_len + t->remove.len;
}

void wm_op_ids_init(wm_op_ids *ids, const char *prefix)
{
    char *id = ids->start + WM_OP_ID_AT;
    memcpy(ids->start, "\x85\xa2id\xb5", WM_OP_ID_AT); /* b5: a string of WM_OP_ID_LEN = 21 bytes */
    memcpy(id, prefix, WM_OP_ID_PREFIX);
    memcpy(id + WM_OP_ID_PREFIX, "-000000001.00", WM_OP_ID_LEN - WM_OP_ID_PREFIX);
    memcpy(id + WM_OP_ID_LEN, "\xa3key", 4);
}

/* Adds one to a base-36 number in digits 0-9a-z; wraps. */
static void count_up(char *digits, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        char c = digits[i];
        if (c != 'z') {
            digits[i] = c == '9' ? 'a' : (char)(c + 1);
            return;
        }
        digits[i] = '0';
    }
}

void wm_op_ids_advance(wm_op_ids *ids)
{
    count_up(ids->start + WM_OP_ID_AT + WM_OP_ID_PREFIX + 1, 9);
}

static size_t write_key_header(uint8_t *p, size_t len)
{
    if (len < 32) {
        p[0] = (uint8_t)(0xa0 | len);
        return 1;
    }
    if (len < 256) {
        p[0] = 0xd9;
        p[1] = (uint8_t)len;
        return 2;
    }
    p[0] = 0xda;
    p[1] = (uint8_t)(len >> 8);
    p[2] = (uint8_t)len;
    return 3;
}

static void write_big_endian64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

size_t wm_op_encode_head(const wm_op_template *t, uint8_t *out, bool remove, const wm_op_ids *ids, const char *key,
                         size_t key_len, const wm_hlc *time, uint16_t *key_at)
{
    const tail *shared = remove ? &t->remove : &t->put;
    uint8_t *p = out;
    memcpy(p, ids->start, WM_OP_START_LEN);
    p += WM_OP_START_LEN;
    p += write_key_header(p, key_len);
    *key_at = (uint16_t)(p - out);
    memcpy(p, key, key_len);
    p += key_len;
    memcpy(p, shared->bytes, shared->len);
    double millis = (double)time->millis;
    uint64_t bits;
    memcpy(&bits, &millis, 8);
    write_big_endian64(p + shared->millis_at, bits);
    uint32_t counter = __builtin_bswap32((uint32_t)time->counter);
    memcpy(p + shared->counter_at, &counter, 4);
    p += shared->len;
    return (size_t)(p - out);
}

void wm_op_next_attempt(uint8_t *op_bytes)
{
    count_up((char *)op_bytes + WM_OP_ID_AT + WM_OP_ID_LEN - 2, 2);
}
