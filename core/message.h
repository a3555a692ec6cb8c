#ifndef WM_MESSAGE_H
#define WM_MESSAGE_H
#include "msgpack.h"

/* One protocol message: a map with a string `type`. The fields stand either at
 * the top level or in `payload`; both spans are given so that readers look in
 * the right one. Everything points into the frame. */
typedef struct wm_message {
    const char *type;
    size_t type_len;
    const uint8_t *body; /* the whole map */
    size_t body_len;
    const uint8_t *payload; /* the value of `payload`, NULL when absent */
    size_t payload_len;
} wm_message;

/* Parses and validates a whole frame (structure, depth, no trailing bytes).
 * 0, or a wm_mp_result < 0, or WM_MESSAGE_ENOTYPE. */
#define WM_MESSAGE_ENOTYPE (-20)   /* not a map with a string `type` */
#define WM_MESSAGE_ETRAILING (-21) /* bytes after the value */
#define WM_MESSAGE_EENVELOPE (-22) /* a BATCH whose lengths do not fit */
int wm_message_parse(const void *frame, size_t len, wm_message *out);
bool wm_message_is(const wm_message *m, const char *type);
/* A text for any of the codes above, for error messages. Static. */
const char *wm_message_error_text(int code);

/* BATCH envelope of the 0.11 server: `data` holds u32 LE count, then count
 * times u32 LE length and one message. Calls `each` for every inner frame, in
 * order; nested envelopes are opened to a depth of 4. A frame that is no BATCH
 * is handed to `each` as it is. What `each` gets has passed wm_message_parse.
 * Stops at the first code < 0, from itself or from `each`, and returns it, else
 * 0. The lengths of an envelope are all checked before its first call. */
typedef int (*wm_message_each)(void *user, const uint8_t *frame, size_t len);
int wm_message_unbatch(const void *frame, size_t len, wm_message_each each, void *user);
#endif
