#include "wire/skim.h"

#include <stdlib.h>
#include <string.h>

/* A lead byte and a length of four, and the type of an extension. */
#define HEAD_MAX 9

typedef struct kept {
    char text[WM_SKIM_NAME_MAX];
    size_t len;
    bool is_there;
} kept;

typedef enum field {
    NOTHING,
    TYPE,
    PAYLOAD,
    DATA,
} field;

struct wm_skim {
    wm_skim_data data;
    void *user;
    uint8_t head[HEAD_MAX]; /* of the item at hand, as far as it has come */
    size_t head_len;
    uint64_t body_left; /* of a string's bytes */
    kept *into;         /* where these are kept; NULL: nowhere */
    bool is_data;       /* they are an envelope's */
    bool is_done;
    bool in_payload; /* the container at depth 2 is the payload */
    field at;        /* whose value comes next, at depth 1 */
    int name;        /* the same at depth 2, -1: none */
    int depth;
    uint64_t left[WM_MP_MAX_DEPTH]; /* keys and values still to come, per open container */
    kept key;
    kept type;
    kept names[WM_MESSAGE_NAME_COUNT];
};

wm_skim *wm_skim_new(wm_skim_data data, void *user)
{
    wm_skim *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->data = data;
    s->user = user;
    return s;
}

void wm_skim_free(wm_skim *s)
{
    free(s);
}

/* Bytes of a head that begins like this. */
static size_t head_size(uint8_t lead)
{
    static const uint8_t sizes[32] = {
        1, 1, 1, 1, 2, 3, 5, 3, 4, 6, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 2, 2, 2, 2, 2, 2, 3, 5, 3, 5, 3, 5};
    return lead >= 0xc0 && lead < 0xe0 ? sizes[lead - 0xc0] : 1;
}

/* What an item's head says: its kind, how many bytes or items follow. */
static int read_head(const uint8_t *head, size_t len, wm_mp_item *it)
{
    /* wm_mp_read wants all of a value; what follows the head is only counted here. */
    uint64_t n = 0;
    uint8_t lead = head[0];
    for (size_t i = 1; i < len; i++) n = n << 8 | head[i];
    it->len = it->count = 0;
    it->kind = WM_MP_NIL;
    if (lead >= 0x80 && lead < 0x90) {
        it->kind = WM_MP_MAP;
        it->count = lead & 0x0f;
    } else if (lead >= 0x90 && lead < 0xa0) {
        it->kind = WM_MP_ARRAY;
        it->count = lead & 0x0f;
    } else if (lead >= 0xa0 && lead < 0xc0) {
        it->kind = WM_MP_STR;
        it->len = lead & 0x1f;
    } else if (lead == 0xc1) {
        return WM_MP_EINVALID;
    } else if (lead >= 0xc4 && lead <= 0xc6) {
        it->kind = WM_MP_BIN;
        it->len = (uint32_t)n;
    } else if (lead >= 0xc7 && lead <= 0xc9) {
        it->kind = WM_MP_EXT;
        it->len = (uint32_t)(n >> 8);
    } else if (lead >= 0xd4 && lead <= 0xd8) {
        it->kind = WM_MP_EXT;
        it->len = 1u << (lead - 0xd4);
    } else if (lead >= 0xd9 && lead <= 0xdb) {
        it->kind = WM_MP_STR;
        it->len = (uint32_t)n;
    } else if (lead == 0xdc || lead == 0xdd) {
        it->kind = WM_MP_ARRAY;
        it->count = (uint32_t)n;
    } else if (lead == 0xde || lead == 0xdf) {
        it->kind = WM_MP_MAP;
        it->count = (uint32_t)n;
    }
    return WM_MP_OK;
}

/* Whether a key stands next, of the message or of its payload. */
static bool wants_key(const wm_skim *s)
{
    return (s->depth == 1 || (s->depth == 2 && s->in_payload)) && s->left[s->depth - 1] % 2 == 0;
}

static void end_key(wm_skim *s)
{
    const kept *k = &s->key;
    if (s->depth == 2) {
        s->name = k->is_there ? wm_message_name_of(k->text, k->len) : -1;
        return;
    }
    s->at = NOTHING;
    if (!k->is_there) return;
    if (k->len == 4 && memcmp(k->text, "type", 4) == 0) s->at = TYPE;
    if (k->len == 7 && memcmp(k->text, "payload", 7) == 0) s->at = PAYLOAD;
    if (k->len == 4 && memcmp(k->text, "data", 4) == 0) s->at = DATA;
}

/* An item ended: it was a key or a value of what is around it, and perhaps the last. */
static void end_item(wm_skim *s)
{
    while (s->depth > 0) {
        bool was_key = wants_key(s);
        if (--s->left[s->depth - 1] > 0 || was_key) {
            if (was_key) end_key(s);
            return;
        }
        s->depth--;
        if (s->depth == 1) s->in_payload = false;
    }
    s->is_done = true;
}

/* Where the text of a key or value that begins now is kept. */
static kept *place_of(wm_skim *s)
{
    if (wants_key(s)) return &s->key;
    if (s->depth == 1 && s->at == TYPE) return &s->type;
    return s->depth == 2 && s->in_payload && s->name >= 0 ? &s->names[s->name] : NULL;
}

static bool is_batch(const wm_skim *s)
{
    return s->type.is_there && wm_message_type_of(s->type.text, s->type.len) == WM_TYPE_BATCH;
}

static int open_container(wm_skim *s, const wm_mp_item *it)
{
    if (s->depth == WM_MP_MAX_DEPTH) return WM_MP_EDEPTH;
    if (it->count == 0) end_item(s);
    else s->left[s->depth++] = it->kind == WM_MP_MAP ? (uint64_t)it->count * 2 : it->count;
    return 0;
}

static bool is_value_of(const wm_skim *s, field at)
{
    return s->depth == 1 && s->at == at && !wants_key(s);
}

/* The head of an item is whole. */
static int begin_item(wm_skim *s)
{
    wm_mp_item it;
    int rc = read_head(s->head, s->head_len, &it);
    s->head_len = 0;
    if (rc < 0) return rc;
    bool is_container = it.kind == WM_MP_MAP || it.kind == WM_MP_ARRAY;
    if (s->depth == 0 && it.kind != WM_MP_MAP) return WM_MESSAGE_ENOTYPE;
    kept *place = s->depth > 0 ? place_of(s) : NULL;
    if (place != NULL) {
        place->is_there = it.kind == WM_MP_STR && it.len <= WM_SKIM_NAME_MAX;
        place->len = 0;
    }
    if (is_value_of(s, PAYLOAD)) { /* of several the last one counts */
        for (int i = 0; i < WM_MESSAGE_NAME_COUNT; i++) s->names[i].is_there = false;
        s->in_payload = it.kind == WM_MP_MAP && it.count > 0;
    }
    if (is_container) return open_container(s, &it);
    s->into = place != NULL && place->is_there ? place : NULL;
    s->is_data = is_value_of(s, DATA) && it.kind == WM_MP_BIN && is_batch(s);
    s->body_left = it.len;
    if (s->body_left == 0) end_item(s);
    return 0;
}

static int take_body(wm_skim *s, const uint8_t **at, const uint8_t *end)
{
    size_t n = (size_t)(end - *at) < s->body_left ? (size_t)(end - *at) : (size_t)s->body_left;
    int rc = 0;
    if (s->into != NULL) {
        memcpy(s->into->text + s->into->len, *at, n);
        s->into->len += n;
    } else if (s->is_data) {
        rc = s->data(s->user, *at, n);
    }
    *at += n;
    s->body_left -= n;
    if (s->body_left == 0) end_item(s);
    return rc;
}

int wm_skim_on(wm_skim *s, const uint8_t **at, const uint8_t *end, bool wants_data)
{
    while (*at < end) {
        int rc = 0;
        if (s->is_done) return WM_MESSAGE_ETRAILING;
        if (s->body_left > 0) {
            if (s->is_data && !wants_data) return 0;
            rc = take_body(s, at, end);
        } else {
            s->head[s->head_len++] = *(*at)++;
            if (s->head_len == head_size(s->head[0])) rc = begin_item(s);
        }
        if (rc < 0) return rc;
    }
    return 0;
}

int wm_skim_end(const wm_skim *s, wm_message *out)
{
    if (!s->is_done) return WM_MP_ETRUNCATED;
    if (!s->type.is_there) return WM_MESSAGE_ENOTYPE;
    *out = (wm_message){
        .type = wm_message_type_of(s->type.text, s->type.len), .type_name = s->type.text, .type_name_len = s->type.len};
    for (int i = 0; i < WM_MESSAGE_NAME_COUNT; i++)
        if (s->names[i].is_there) out->names[i] = (wm_message_name){s->names[i].text, s->names[i].len};
    return 0;
}
