#include "wire/message.h"

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

static const struct {
    const char *field;
    size_t len;
} names[] = {
#define X(name, field) {field, sizeof field - 1},
    WM_MESSAGE_NAMES(X)
#undef X
};

int wm_message_name_of(const void *key, size_t len)
{
    for (int i = 0; i < WM_MESSAGE_NAME_COUNT; i++)
        if (names[i].len == len && memcmp(names[i].field, key, len) == 0) return i;
    return -1;
}

wm_message_limit wm_message_exceeds(const wm_message_cost *cost, const wm_message_limits *limits)
{
    if (cost->elements > limits->elements) return WM_LIMIT_ELEMENTS;
    if (cost->largest > limits->table_elements) return WM_LIMIT_TABLE;
    return cost->lua_bytes > limits->decoded_bytes ? WM_LIMIT_DECODED : WM_LIMIT_NONE;
}

void wm_message_describe(const wm_message *m, wm_message_limit limit, uint64_t size, wm_buffer *out)
{
    static const char *const options[] = {
        "",
#define X(name, option, field) option,
        WM_MESSAGE_LIMITS(X)
#undef X
    };
    uint32_t known = 0;
    for (int i = 0; i < WM_MESSAGE_NAME_COUNT; i++) known += m->names[i].text != NULL;
    wm_mp_write_map(out, 4);
    wm_mp_write_cstr(out, "type");
    wm_mp_write_str(out, m->type_name, m->type_name_len);
    wm_mp_write_cstr(out, "size");
    wm_mp_write_number(out, (double)size);
    wm_mp_write_cstr(out, "limit");
    wm_mp_write_cstr(out, options[limit]);
    wm_mp_write_cstr(out, "payload");
    wm_mp_write_map(out, known);
    for (int i = 0; i < WM_MESSAGE_NAME_COUNT; i++) {
        if (m->names[i].text == NULL) continue;
        wm_mp_write_cstr(out, names[i].field);
        wm_mp_write_str(out, m->names[i].text, m->names[i].len);
    }
}

/* Stands before the first key of the map whose head has been read. */
static void enter_map(wm_message_parser *p, int level, uint32_t fields, const wm_mp_reader *behind)
{
    p->level = level;
    p->fields[level] = fields;
    p->r = *behind;
    p->at = WM_PARSE_KEY;
}

static void count_largest(wm_message *m, size_t entries)
{
    if (entries > m->cost.largest) m->cost.largest = entries;
}

static void count_item(wm_message *m, const wm_mp_item *it)
{
    count_largest(m, wm_mp_entries(it));
    m->cost.elements++;
    m->cost.lua_bytes += wm_mp_lua_bytes(it);
}

int wm_message_parser_begin(wm_message_parser *p, const void *frame, size_t len)
{
    p->message = (wm_message){.body = frame, .body_len = len};
    p->is_type = p->is_payload = false;
    wm_mp_reader_init(&p->r, frame, len);
    wm_mp_reader peek = p->r;
    int rc = wm_mp_read(&peek, &p->head);
    if (rc != WM_MP_OK) return rc;
    if (p->head.kind == WM_MP_MAP) {
        count_item(&p->message, &p->head);
        enter_map(p, 0, p->head.count, &peek);
        return WM_MP_OK;
    }
    p->level = 0;
    p->fields[0] = 0;
    p->at = WM_PARSE_NO_MAP;
    wm_mp_walk_begin(&p->walk, &p->r, WM_MP_MAX_DEPTH);
    return WM_MP_OK;
}

/* A payload that is a map is read field by field. */
static void enter_payload(wm_message_parser *p, const wm_mp_reader *behind)
{
    memset(p->message.names, 0, sizeof p->message.names);
    p->message.payload = p->start;
    count_item(&p->message, &p->head);
    enter_map(p, 1, p->head.count, behind);
}

/* Notes the head of the key or value that stands next, and begins to step over it.
 * The outer map is the first level of nesting. */
static int begin_part(wm_message_parser *p)
{
    wm_mp_reader peek = p->r;
    int rc = wm_mp_read(&peek, &p->head);
    if (rc != WM_MP_OK) return rc;
    bool is_value = p->at == WM_PARSE_VALUE;
    if (p->level == 0) p->start = p->r.pos;
    if (is_value && p->level == 0 && p->is_payload && p->head.kind == WM_MP_MAP) {
        enter_payload(p, &peek);
        return WM_MP_OK;
    }
    wm_mp_walk_begin(&p->walk, &p->r, WM_MP_MAX_DEPTH - 1 - p->level);
    p->at++;
    return WM_MP_OK;
}

static void end_key(wm_message_parser *p)
{
    if (p->level == 1) {
        p->name = p->head.kind == WM_MP_STR ? wm_message_name_of(p->head.bytes, p->head.len) : -1;
    } else {
        p->is_type = wm_mp_is(&p->head, "type");
        p->is_payload = wm_mp_is(&p->head, "payload");
    }
    p->at = WM_PARSE_VALUE;
}

static void end_value(wm_message_parser *p)
{
    wm_message *m = &p->message;
    bool is_str = p->head.kind == WM_MP_STR;
    const char *text = is_str ? (const char *)p->head.bytes : NULL;
    size_t len = is_str ? p->head.len : 0;
    if (p->level == 1) {
        if (p->name >= 0) m->names[p->name] = (wm_message_name){text, len};
    } else if (p->is_type) {
        m->type_name = text;
        m->type_name_len = len;
    } else if (p->is_payload) {
        memset(m->names, 0, sizeof m->names);
        m->payload = p->head.kind == WM_MP_ABSENT ? NULL : p->start;
        m->payload_len = m->payload ? (size_t)(p->r.pos - p->start) : 0;
    }
    p->fields[p->level]--;
    p->at = WM_PARSE_KEY;
}

/* Behind the last field of the payload. */
static void leave_payload(wm_message_parser *p)
{
    p->message.payload_len = (size_t)(p->r.pos - p->message.payload);
    p->level = 0;
    p->fields[0]--;
    p->at = WM_PARSE_KEY;
}

/* Steps on in the key or value at hand, and notes what it was at its end: as
 * wm_mp_walk_on. */
static int walk_part(wm_message_parser *p, uint32_t *most)
{
    uint32_t before = *most;
    int rc = wm_mp_walk_on(&p->walk, most);
    p->message.cost.elements += before - *most;
    if (rc != WM_MP_OK) return rc;
    p->message.cost.lua_bytes += p->walk.lua_bytes;
    count_largest(&p->message, p->walk.largest);
    p->r = p->walk.at;
    if (p->at == WM_PARSE_IN_KEY) end_key(p);
    else if (p->at == WM_PARSE_IN_VALUE) end_value(p);
    return WM_MP_OK;
}

int wm_message_parser_on(wm_message_parser *p, uint32_t most, wm_message *out)
{
    int rc;
    while (p->level > 0 || p->fields[0] > 0 || p->at == WM_PARSE_NO_MAP) {
        if (p->level > 0 && p->fields[1] == 0) {
            leave_payload(p);
            continue;
        }
        if (p->at == WM_PARSE_KEY || p->at == WM_PARSE_VALUE) {
            if ((rc = begin_part(p)) != WM_MP_OK) return rc;
            if (p->at == WM_PARSE_KEY) continue; /* of the payload */
        }
        if ((rc = walk_part(p, &most)) != WM_MP_OK) return rc;
        if (p->at == WM_PARSE_NO_MAP) break;
    }
    if (p->r.pos != p->r.end) return WM_MESSAGE_ETRAILING;
    if (p->message.type_name == NULL) return WM_MESSAGE_ENOTYPE;
    p->message.type = wm_message_type_of(p->message.type_name, p->message.type_name_len);
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

bool wm_message_text(const wm_message *m, const char *name, wm_mp_item *out)
{
    const uint8_t *bytes;
    size_t len;
    wm_mp_reader r;
    if (m->payload == NULL || wm_mp_find(m->payload, m->payload_len, name, &bytes, &len) < 0 || bytes == NULL) return false;
    wm_mp_reader_init(&r, bytes, len);
    return wm_mp_read(&r, out) >= 0 && out->kind == WM_MP_STR;
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
    if (m.type != WM_TYPE_BATCH) return each(user, frame, len);
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
