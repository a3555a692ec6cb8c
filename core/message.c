#include "message.h"

#include <string.h>

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

int wm_message_parser_begin(wm_message_parser *p, const void *frame, size_t len)
{
    p->message = (wm_message){.body = frame, .body_len = len};
    wm_mp_reader_init(&p->r, frame, len);
    wm_mp_reader peek = p->r;
    int rc = wm_mp_read(&peek, &p->head);
    if (rc != WM_MP_OK) return rc;
    if (p->head.kind == WM_MP_MAP) {
        p->fields = p->head.count;
        p->r = peek;
        p->at = WM_PARSE_KEY;
        return WM_MP_OK;
    }
    p->fields = 0;
    p->at = WM_PARSE_NO_MAP;
    wm_mp_walk_begin(&p->walk, &p->r, WM_MP_MAX_DEPTH);
    return WM_MP_OK;
}

/* Notes the head of the key or value that stands next, and begins to step over it.
 * The outer map is the first level of nesting. */
static int begin_part(wm_message_parser *p)
{
    wm_mp_reader peek = p->r;
    int rc = wm_mp_read(&peek, &p->head);
    if (rc != WM_MP_OK) return rc;
    p->start = p->r.pos;
    wm_mp_walk_begin(&p->walk, &p->r, WM_MP_MAX_DEPTH - 1);
    p->at++;
    return WM_MP_OK;
}

static void end_key(wm_message_parser *p)
{
    p->is_type = wm_mp_is(&p->head, "type");
    p->is_payload = wm_mp_is(&p->head, "payload");
    p->at = WM_PARSE_VALUE;
}

static void end_value(wm_message_parser *p)
{
    wm_message *m = &p->message;
    if (p->is_type) {
        m->type = p->head.kind == WM_MP_STR ? (const char *)p->head.bytes : NULL;
        m->type_len = m->type ? p->head.len : 0;
    } else if (p->is_payload) {
        m->payload = p->head.kind == WM_MP_ABSENT ? NULL : p->start;
        m->payload_len = m->payload ? (size_t)(p->r.pos - p->start) : 0;
    }
    p->fields--;
    p->at = WM_PARSE_KEY;
}

int wm_message_parser_on(wm_message_parser *p, uint32_t most, wm_message *out)
{
    int rc;
    while (p->fields > 0 || p->at == WM_PARSE_NO_MAP) {
        if (p->at == WM_PARSE_KEY || p->at == WM_PARSE_VALUE) {
            if ((rc = begin_part(p)) != WM_MP_OK) return rc;
        }
        if ((rc = wm_mp_walk_on(&p->walk, &most)) != WM_MP_OK) return rc;
        p->r = p->walk.at;
        if (p->at == WM_PARSE_NO_MAP) break;
        if (p->at == WM_PARSE_IN_KEY) end_key(p);
        else end_value(p);
    }
    if (p->r.pos != p->r.end) return WM_MESSAGE_ETRAILING;
    if (p->message.type == NULL) return WM_MESSAGE_ENOTYPE;
    *out = p->message;
    return 0;
}

int wm_message_parse(const void *frame, size_t len, wm_message *out)
{
    wm_message_parser p;
    int rc = wm_message_parser_begin(&p, frame, len);
    if (rc != WM_MP_OK) return rc;
    while ((rc = wm_message_parser_on(&p, UINT32_MAX, out)) > 0) {
    }
    return rc;
}

bool wm_message_is(const wm_message *m, const char *type)
{
    return strlen(type) == m->type_len && memcmp(m->type, type, m->type_len) == 0;
}

static uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t wm_message_item_len(const uint8_t *items)
{
    return load_le32(items);
}

int wm_message_open_envelope(const wm_message *m, const uint8_t **items, uint32_t *count)
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
    if (envelopes == WM_MESSAGE_MAX_ENVELOPES) return WM_MESSAGE_EENVELOPE;
    if ((rc = wm_message_open_envelope(&m, &items, &count)) < 0) return rc;

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
