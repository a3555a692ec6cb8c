#include "message.h"

#include <string.h>

#define MAX_ENVELOPES 4

const char *wm_message_error_text(int code)
{
    switch (code) {
    case WM_MESSAGE_ENOTYPE:
        return "the message is not a map with a string `type`";
    case WM_MESSAGE_ETRAILING:
        return "bytes follow the message";
    case WM_MESSAGE_EENVELOPE:
        return "the lengths in a BATCH do not fit its data";
    default:
        return wm_mp_result_text(code);
    }
}

/* One pair of the outer map. The map itself is the first level of nesting. */
static int parse_field(wm_mp_reader *r, wm_message *m)
{
    wm_mp_item key = {.kind = WM_MP_NIL}, value;
    wm_mp_reader peek = *r;
    int rc = wm_mp_read(&peek, &key);
    if (rc != WM_MP_OK) return rc;
    if ((rc = wm_mp_skip_within(r, WM_MP_MAX_DEPTH - 1)) != WM_MP_OK) return rc;

    const uint8_t *start = r->pos;
    peek = *r;
    if ((rc = wm_mp_read(&peek, &value)) != WM_MP_OK) return rc;
    if ((rc = wm_mp_skip_within(r, WM_MP_MAX_DEPTH - 1)) != WM_MP_OK) return rc;

    if (wm_mp_is(&key, "type")) {
        m->type = value.kind == WM_MP_STR ? (const char *)value.bytes : NULL;
        m->type_len = m->type ? value.len : 0;
    } else if (wm_mp_is(&key, "payload")) {
        m->payload = value.kind == WM_MP_ABSENT ? NULL : start;
        m->payload_len = m->payload ? (size_t)(r->pos - start) : 0;
    }
    return WM_MP_OK;
}

int wm_message_parse(const void *frame, size_t len, wm_message *out)
{
    wm_message m = {.body = frame, .body_len = len};
    wm_mp_reader r, peek;
    wm_mp_item item;
    wm_mp_reader_init(&r, frame, len);
    peek = r;
    int rc = wm_mp_read(&peek, &item);
    if (rc != WM_MP_OK) return rc;
    if (item.kind == WM_MP_MAP) {
        r = peek;
        for (uint32_t left = item.count; left > 0; left--)
            if ((rc = parse_field(&r, &m)) != WM_MP_OK) return rc;
    } else if ((rc = wm_mp_skip(&r)) != WM_MP_OK) {
        return rc;
    }
    if (r.pos != r.end) return WM_MESSAGE_ETRAILING;
    if (m.type == NULL) return WM_MESSAGE_ENOTYPE;
    *out = m;
    return 0;
}

bool wm_message_is(const wm_message *m, const char *type)
{
    return strlen(type) == m->type_len && memcmp(m->type, type, m->type_len) == 0;
}

static uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Gives the items of an envelope, after the count, once all their lengths are
 * known to fill the data exactly. */
static int open_envelope(const wm_message *m, const uint8_t **items, uint32_t *count)
{
    const uint8_t *field;
    size_t field_len;
    wm_mp_reader r;
    wm_mp_item data, said;
    uint64_t said_count;

    int rc = wm_mp_find(m->body, m->body_len, "data", &field, &field_len);
    if (rc != WM_MP_OK) return rc;
    if (field == NULL) return WM_MESSAGE_EENVELOPE;
    wm_mp_reader_init(&r, field, field_len);
    wm_mp_read(&r, &data);
    if (data.kind != WM_MP_BIN || data.len < 4) return WM_MESSAGE_EENVELOPE;

    *count = load_le32(data.bytes);
    if ((rc = wm_mp_find(m->body, m->body_len, "count", &field, &field_len)) != WM_MP_OK) return rc;
    if (field != NULL) {
        wm_mp_reader_init(&r, field, field_len);
        wm_mp_read(&r, &said);
        if (!wm_mp_as_uint(&said, &said_count) || said_count != *count) return WM_MESSAGE_EENVELOPE;
    }

    *items = data.bytes + 4;
    const uint8_t *p = *items, *end = data.bytes + data.len;
    for (uint32_t i = 0; i < *count; i++) {
        if (end - p < 4) return WM_MESSAGE_EENVELOPE;
        uint32_t item_len = load_le32(p);
        p += 4;
        if (item_len > (size_t)(end - p)) return WM_MESSAGE_EENVELOPE;
        p += item_len;
    }
    return p == end ? 0 : WM_MESSAGE_EENVELOPE;
}

static int unbatch(const uint8_t *frame, size_t len, int envelopes, wm_message_each each, void *user)
{
    wm_message m;
    const uint8_t *items = NULL;
    uint32_t count = 0;
    int rc = wm_message_parse(frame, len, &m);
    if (rc < 0) return rc;
    if (!wm_message_is(&m, "BATCH")) return each(user, frame, len);
    if (envelopes == MAX_ENVELOPES) return WM_MESSAGE_EENVELOPE;
    if ((rc = open_envelope(&m, &items, &count)) < 0) return rc;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t item_len = load_le32(items);
        rc = unbatch(items + 4, item_len, envelopes + 1, each, user);
        if (rc < 0) return rc;
        items += (size_t)4 + item_len;
    }
    return 0;
}

int wm_message_unbatch(const void *frame, size_t len, wm_message_each each, void *user)
{
    int rc = unbatch(frame, len, 0, each, user);
    return rc < 0 ? rc : 0;
}
