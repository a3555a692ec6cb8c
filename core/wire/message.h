#ifndef WM_MESSAGE_H
#define WM_MESSAGE_H
#include "base/buffer.h"
#include "base/msgpack.h"
#include "wire/message_type.h"

/* The strings in `payload` by which a message is recognised, noted while it is parsed, as
 * looking for one would be a walk through the whole payload: X(NAME, "field"). */
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
    const char *text; /* NULL: not there, or no string */
    size_t len;
} wm_message_name;
/* Which of them a key is; -1: none. */
int wm_message_name_of(const void *key, size_t len);

/* What decoding a value costs. */
typedef struct wm_message_cost {
    uint32_t elements; /* keys and values, however nested */
    size_t largest;    /* those of the largest array or map: Lua allocates it in one go */
    size_t lua_bytes;  /* about what it takes when Lua has decoded it */
} wm_message_cost;

/* One protocol message: a map with a string `type`. The fields stand either at
 * the top level or in `payload`; both spans are given so that readers look in
 * the right one. Everything points into the frame. */
typedef struct wm_message {
    wm_message_type type;
    const char *type_name; /* as it stands in the frame, also of a type that Wingman does not know */
    size_t type_name_len;
    const uint8_t *body; /* the whole map */
    size_t body_len;
    const uint8_t *payload; /* the value of `payload`, NULL when absent */
    size_t payload_len;
    wm_message_name names[WM_MESSAGE_NAME_COUNT];
    wm_message_cost cost;
    wm_buffer *memory; /* what all of it lies in, for a handler to take and leave empty; NULL: the memory is another's */
} wm_message;

/* What a message may be at most: one that is read, and one that Lua decodes. The names are
 * those of the client's options. */
#define WM_MESSAGE_LIMITS(X)                  \
    X(BYTES, "max_message_bytes", bytes)       \
    X(TEXT, "max_text_bytes", text_bytes)       \
    X(ELEMENTS, "max_message_elements", elements) \
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
/* The limit that keeps Lua from decoding something; WM_LIMIT_NONE. */
wm_message_limit wm_message_exceeds(const wm_message_cost *cost, const wm_message_limits *limits);
/* Appends a short message that stands for one beyond a limit: its `type`, in `payload` its
 * names, `size` (bytes) and `limit` (the option's name), as MessagePack. */
void wm_message_describe(const wm_message *m, wm_message_limit limit, uint64_t size, wm_buffer *out);

/* Parses and validates a whole frame (structure, depth, no trailing bytes).
 * 0, or a wm_mp_result < 0, or WM_MESSAGE_ENOTYPE. */
#define WM_MESSAGE_ENOTYPE (-20)   /* not a map with a string `type` */
#define WM_MESSAGE_ETRAILING (-21) /* bytes after the value */
#define WM_MESSAGE_EENVELOPE (-22) /* a BATCH whose lengths do not fit */
int wm_message_parse(const void *frame, size_t len, wm_message *out);

/* The same in pieces, for large frames. */
typedef struct wm_message_parser {
    wm_message message;
    wm_mp_reader r;
    wm_mp_walk walk;
    wm_mp_item head;       /* of the key, then of the value */
    const uint8_t *start;  /* of the value */
    uint32_t fields[2];    /* still to come: of the message, and of its payload */
    int level;             /* 1: inside the payload */
    enum {
        WM_PARSE_KEY,
        WM_PARSE_IN_KEY,
        WM_PARSE_VALUE,
        WM_PARSE_IN_VALUE,
        WM_PARSE_NO_MAP,
    } at;
    bool is_type, is_payload;
    int name; /* of the payload's key at hand, -1: none of them */
} wm_message_parser;
/* 0 or a wm_mp_result < 0. */
int wm_message_parser_begin(wm_message_parser *p, const void *frame, size_t len);
/* Reads at most `most` (> 0) items: 1 when there is more, 0 when *out is the message,
 * or a code < 0 as wm_message_parse. */
int wm_message_parser_on(wm_message_parser *p, uint32_t most, wm_message *out);

/* A text in the payload of a message. False when there is none of this name. */
bool wm_message_text(const wm_message *m, const char *name, wm_mp_item *out);
/* A text for any of the codes above, for error messages. Static. */
const char *wm_message_error_text(int code);

/* BATCH envelope of the 0.11 server: `data` holds u32 LE count, then count
 * times u32 LE length and one message; nested to a depth of 4. */
#define WM_MESSAGE_MAX_ENVELOPES 4
/* Gives the items of an envelope, behind the count, once all their lengths are known
 * to fill the data exactly. 0, or a code < 0. */
int wm_message_open_envelope(const wm_message *m, const uint8_t **items, uint32_t *count);
/* The length of the item at `items`; its bytes are the 4 behind it and on. */
uint32_t wm_message_item_len(const uint8_t *items);
/* Opens envelopes at once: calls `each` for every inner frame, in
 * order; nested envelopes are opened to a depth of 4. A frame that is no BATCH
 * is handed to `each` as it is. What `each` gets has passed wm_message_parse.
 * Stops at the first code < 0, from itself or from `each`, and returns it, else
 * 0. The lengths of an envelope are all checked before its first call. */
typedef int (*wm_message_each)(void *user, const uint8_t *frame, size_t len);
int wm_message_unbatch(const void *frame, size_t len, wm_message_each each, void *user);
#endif
