#include "wire/op_encoding.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/msgpack.h"

/* Writes a string and tells where it is in the bytes. */
static void write_str_at(wm_buffer *b, const char *str, size_t len, uint32_t *at, uint32_t *at_len)
{
    wm_mp_write_str(b, str, len);
    *at = (uint32_t)(b->len - len);
    *at_len = (uint32_t)len;
}

bool wm_op_template_init(wm_op_template *t, bool remove, const char *map_name, size_t map_len, const char *node_id,
                         size_t node_len)
{
    wm_buffer b;
    wm_buffer_init(&b);
    *t = (wm_op_template){.remove = remove};
    wm_mp_write_cstr(&b, "mapName");
    write_str_at(&b, map_name, map_len, &t->map_name_at, &t->map_name_len);
    wm_mp_write_cstr(&b, "opType");
    wm_mp_write_cstr(&b, remove ? "REMOVE" : "PUT");
    wm_mp_write_cstr(&b, "record");
    wm_mp_write_map(&b, 2);
    wm_mp_write_cstr(&b, "timestamp");
    wm_mp_write_map(&b, 3);
    wm_mp_write_cstr(&b, "millis");
    t->millis_at = (uint32_t)b.len + 1;
    wm_mp_write_float64(&b, 0);
    wm_mp_write_cstr(&b, "counter");
    t->counter_at = (uint32_t)b.len + 1;
    wm_buffer_append(&b, "\xce\0\0\0\0", 5); /* fixed width: it is patched for each operation */
    wm_mp_write_cstr(&b, "nodeId");
    write_str_at(&b, node_id, node_len, &t->node_id_at, &t->node_id_len);
    wm_mp_write_cstr(&b, "value");
    if (b.failed) {
        wm_buffer_close(&b);
        return false;
    }
    t->bytes = b.data;
    t->len = (uint32_t)b.len;
    return true;
}

void wm_op_template_close(wm_op_template *t)
{
    free(t->bytes);
    t->bytes = NULL;
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

void wm_op_keep_head(uint8_t *out, const void *start, const char *key, size_t key_len, const wm_hlc *time)
{
    memcpy(out, start, WM_OP_START_LEN);
    uint8_t *p = out + WM_OP_START_LEN;
    p += write_key_header(p, key_len);
    wm_copy(p, (const uint8_t *)key, key_len);
    p += key_len;
    double millis = (double)time->millis;
    uint64_t bits;
    memcpy(&bits, &millis, sizeof bits);
    bits = __builtin_bswap64(bits);
    uint32_t counter = __builtin_bswap32((uint32_t)time->counter);
    memcpy(p, &bits, sizeof bits);
    memcpy(p + sizeof bits, &counter, sizeof counter);
}

uint8_t *wm_op_write(const wm_op_template *t, uint8_t *out, const uint8_t *kept, size_t len, size_t key_len)
{
    size_t head = wm_op_key_at(key_len) + key_len, in_front = head + WM_OP_TIME_LEN;
    wm_copy(out, kept, head);
    out += head;
    wm_copy(out, t->bytes, t->len);
    memcpy(out + t->millis_at, kept + head, 8);
    memcpy(out + t->counter_at, kept + head + 8, 4);
    out += t->len;
    wm_copy(out, kept + in_front, len - in_front);
    return out + (len - in_front);
}

void wm_op_next_attempt(uint8_t *op_bytes)
{
    count_up((char *)op_bytes + WM_OP_ID_AT + WM_OP_ID_LEN - 2, 2);
}
