#include "replica/merkle_answer.h"

#include <string.h>

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t wm_merkle_path_write(wm_merkle_place place, char out[WM_MERKLE_PATH_MAX])
{
    for (uint32_t i = 0; i < place.depth; i++) out[i] = "0123456789abcdef"[place.digits >> 4 * (place.depth - 1u - i) & 15];
    return place.depth;
}

bool wm_merkle_path_read(const char *path, size_t len, wm_merkle_place *out)
{
    if (len > WM_MERKLE_PATH_MAX) return false;
    *out = (wm_merkle_place){.depth = (uint8_t)len};
    for (size_t i = 0; i < len; i++) {
        int digit = digit_of(path[i]);
        if (digit < 0) return false;
        out->digits = (uint16_t)(out->digits << 4 | digit);
    }
    return true;
}

/* The item at the start of a field of the payload, and the reader behind it. */
static bool find(const wm_message *m, const char *name, wm_mp_item *out, wm_mp_reader *r)
{
    const uint8_t *bytes;
    size_t len;
    if (m->payload == NULL || wm_mp_find(m->payload, m->payload_len, name, &bytes, &len) < 0 || bytes == NULL) return false;
    wm_mp_reader_init(r, bytes, len);
    return wm_mp_read(r, out) >= 0;
}

static bool as_hash(const wm_mp_item *it, uint32_t *out)
{
    uint64_t number;
    if (!wm_mp_as_uint(it, &number) || number > UINT32_MAX) return false;
    *out = (uint32_t)number;
    return true;
}

static bool read_root(const wm_message *m, wm_merkle_answer *out)
{
    wm_mp_item root;
    wm_mp_reader r;
    return find(m, "rootHash", &root, &r) && as_hash(&root, &out->root);
}

/* A place below is named by its digit, or by its whole path. */
static bool read_below(const wm_mp_item *name, wm_merkle_place above, uint32_t *digit)
{
    wm_merkle_place place;
    if (name->kind != WM_MP_STR || !wm_merkle_path_read((const char *)name->bytes, name->len, &place)) return false;
    *digit = place.digits & 15;
    return place.depth == 1 || (place.depth == above.depth + 1 && place.digits >> 4 == above.digits);
}

static bool read_buckets(const wm_message *m, wm_merkle_answer *out)
{
    wm_mp_item map, name, hash;
    wm_mp_reader r;
    if (out->place.depth == WM_MERKLE_PATH_MAX) return find(m, "buckets", &map, &r) && map.kind == WM_MP_MAP && map.count == 0;
    if (!find(m, "buckets", &map, &r) || map.kind != WM_MP_MAP || map.count > 16) return false;
    for (uint32_t i = 0; i < map.count; i++) {
        uint32_t digit;
        if (wm_mp_read(&r, &name) < 0 || !read_below(&name, out->place, &digit)) return false;
        if (wm_mp_read(&r, &hash) < 0 || !as_hash(&hash, &out->below[digit])) return false;
    }
    return true;
}

static bool read_record(wm_mp_reader *r, wm_map_event *out)
{
    wm_mp_item map, name, key = {.kind = WM_MP_NIL};
    bool is_record = true;
    *out = (wm_map_event){0};
    if (wm_mp_read(r, &map) < 0 || map.kind != WM_MP_MAP) return false;
    for (uint32_t i = 0; i < map.count; i++) {
        if (wm_mp_read(r, &name) < 0) return false;
        if (wm_mp_is(&name, "key")) is_record = wm_mp_read(r, &key) >= 0;
        else if (wm_mp_is(&name, "record")) is_record = wm_map_event_read_record(r, out);
        else is_record = wm_mp_skip(r) >= 0;
        if (!is_record) return false;
    }
    out->key = (const char *)key.bytes;
    out->key_len = key.len;
    return key.kind == WM_MP_STR && out->has_record;
}

static bool read_leaf(const wm_message *m, wm_merkle_answer *out)
{
    wm_mp_item array;
    wm_map_event record;
    if (out->place.depth != WM_MERKLE_PATH_MAX || !find(m, "records", &array, &out->records) || array.kind != WM_MP_ARRAY) return false;
    out->record_count = array.count;
    wm_mp_reader r = out->records;
    for (uint32_t i = 0; i < array.count; i++)
        if (!read_record(&r, &record)) return false;
    return true;
}

bool wm_merkle_answer_read(const wm_message *m, wm_merkle_answer *out)
{
    const wm_message_name *path = &m->names[WM_MESSAGE_PATH];
    *out = (wm_merkle_answer){.type = m->type};
    if (m->type == WM_TYPE_SYNC_RESP_ROOT) return read_root(m, out);
    if (path->text == NULL || !wm_merkle_path_read(path->text, path->len, &out->place)) return false;
    return m->type == WM_TYPE_SYNC_RESP_BUCKETS ? read_buckets(m, out) : read_leaf(m, out);
}

bool wm_merkle_answer_next(wm_merkle_answer *a, wm_map_event *out)
{
    if (a->record_count == 0) return false;
    a->record_count--;
    return read_record(&a->records, out);
}
