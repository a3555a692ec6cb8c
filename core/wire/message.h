#ifndef WM_MESSAGE_H
#define WM_MESSAGE_H
#include "base/buffer.h"
#include "base/msgpack.h"
#include "wire/message_type.h"

/* Strings of `payload` by which a message is matched to a request: X(NAME, "field"). They are found
 * while the message is parsed, as a later search would walk through the whole payload. */
#define WM_MESSAGE_NAMES(X) \
    X(QUERY, "queryId")     \
    X(MAP, "mapName")       \
    X(PATH, "path")         \
    X(LAST, "lastId")
enum {
#define X(name, field) WM_MESSAGE_##name,
    WM_MESSAGE_NAMES(X)
#undef X
        WM_MESSAGE_NAME_COUNT
};
typedef struct wm_message_name {
    const char *text; /* NULL: absent, or not a string */
    size_t len;
} wm_message_name;
/* The index of the name that a key is; -1: none. */
int wm_message_name_of(const void *key, size_t len);

/* What decoding a value costs. */
typedef struct wm_message_cost {
    uint32_t elements; /* keys and values, however nested */
    size_t largest;    /* elements of the largest array or map, for which Lua allocates memory at once */
    size_t lua_bytes;  /* about the memory of the value in Lua */
} wm_message_cost;

/* One protocol message: a map with a string `type`. Its other fields are at the top level or in `payload`,
 * depending on the type. All pointers are into the frame. */
typedef struct wm_message {
    wm_message_type type;
    const char *type_name; /* as in the frame, also for a type that Wingman does not know */
    size_t type_name_len;
    const uint8_t *body; /* the whole map */
    size_t body_len;
    const uint8_t *payload; /* the value of `payload`, NULL when absent */
    size_t payload_len;
    wm_message_name names[WM_MESSAGE_NAME_COUNT];
    wm_message_cost cost;
    wm_buffer *memory; /* the buffer that holds the message, which a handler may take over; NULL: it may not */
} wm_message;

/* Limits for a message: the first two for reading it, the others for decoding it in Lua. X(NAME,
 * "option of the client", field). */
#define WM_MESSAGE_LIMITS(X)                       \
    X(BYTES, "max_message_bytes", bytes)           \
    X(TEXT, "max_text_bytes", text_bytes)          \
    X(ELEMENTS, "max_message_elements", elements)  \
    X(TABLE, "max_table_elements", table_elements) \
    X(DECODED, "max_decoded_bytes", decoded_bytes)
typedef enum wm_message_limit {
    WM_LIMIT_NONE,
#define X(name, option, field) WM_LIMIT_##name,
    WM_MESSAGE_LIMITS(X)
#undef X
} wm_message_limit;
typedef struct wm_message_limits {
#define X(name, option, field) size_t field;
    WM_MESSAGE_LIMITS(X)
#undef X
} wm_message_limits;
/* The first limit for Lua that is exceeded; WM_LIMIT_NONE when none is. */
wm_message_limit wm_message_exceeds(const wm_message_cost *cost, const wm_message_limits *limits);
/* Appends a short MessagePack message that stands for one above a limit: {type, size, limit, payload},
 * with the type and the size in bytes of that message, the option whose limit it exceeds, and a payload
 * that has only its names. */
void wm_message_describe(const wm_message *m, wm_message_limit limit, uint64_t size, wm_buffer *out);

/* Parses a whole frame and checks its structure, its depth, and that no bytes follow. Returns 0, a
 * wm_mp_result < 0, or WM_MESSAGE_ENOTYPE. */
#define WM_MESSAGE_ENOTYPE (-20)   /* not a map with a string `type` */
#define WM_MESSAGE_ETRAILING (-21) /* bytes after the value */
#define WM_MESSAGE_EENVELOPE (-22) /* a BATCH whose lengths do not fit */
int wm_message_parse(const void *frame, size_t len, wm_message *out);

/* The same in pieces, for large frames. */
typedef struct wm_message_parser {
    wm_message message;
    wm_mp_reader r;
    wm_mp_walk walk;
    wm_mp_item head;      /* of the key, then of the value */
    const uint8_t *start; /* of the value */
    uint32_t fields[2];   /* left to read: of the message, and of its payload */
    int level;            /* 1: inside the payload */
    enum {
        WM_PARSE_KEY,
        WM_PARSE_IN_KEY,
        WM_PARSE_VALUE,
        WM_PARSE_IN_VALUE,
        WM_PARSE_NO_MAP,
    } at;
    bool is_type, is_payload;
    int name; /* index of the name that the current key of the payload is; -1: none */
} wm_message_parser;
/* 0 or a wm_mp_result < 0. */
int wm_message_parser_begin(wm_message_parser *p, const void *frame, size_t len);
/* Reads at most `most` (> 0) items. Returns 1 when there are more, 0 when *out is the message, or a
 * code < 0 of wm_message_parse. */
int wm_message_parser_on(wm_message_parser *p, uint32_t most, wm_message *out);

/* A string in the payload of a message. False when there is no string of this name. */
bool wm_message_text(const wm_message *m, const char *name, wm_mp_item *out);
/* A text for any of the codes above, for error messages. Static. */
const char *wm_message_error_text(int code);

#define WM_MESSAGE_MAX_ENVELOPES 4
/* Opens an envelope (BATCH) of a 0.11 server. Its `data` is a count and so many messages, each behind its
 * length; these numbers are uint32, little-endian. Envelopes are nested to a depth of 4. `items`: the first
 * length. All lengths are checked to fill the data exactly. Returns 0 or a code < 0. */
int wm_message_open_envelope(const wm_message *m, const uint8_t **items, uint32_t *count);
/* The length of the message at `items`, which begins 4 bytes later. */
uint32_t wm_message_item_len(const uint8_t *items);
/* Calls `each` for each message of an envelope, in order, and of nested ones to a depth of 4; for a
 * frame that is no BATCH once. Each message has passed wm_message_parse, and all lengths of an envelope
 * are checked before its first message. Stops at the first code < 0, its own or one of `each`, and
 * returns it; else 0. */
typedef int (*wm_message_each)(void *user, const uint8_t *frame, size_t len);
int wm_message_unbatch(const void *frame, size_t len, wm_message_each each, void *user);
#endif
