#ifndef WM_INTAKE_H
#define WM_INTAKE_H
#include "wire/message.h"

/* Puts the messages of one connection together from the pieces in which they come. One
 * that is larger than the limit is not kept: it is read past as it comes, and told by
 * wm_message_describe once it is through. The messages in an envelope (BATCH) that is
 * too large are taken one by one, each under the same limit. */
typedef struct wm_intake wm_intake;

/* A code < 0 ends the intake: nothing more is handed over. */
typedef struct wm_intake_handlers {
    /* A whole message, valid for the call; the memory of `whole`, when that is not empty,
     * may be taken, and the buffer left empty. */
    int (*message)(void *user, const uint8_t *bytes, size_t len, bool text, wm_buffer *whole);
    int (*too_large)(void *user, const uint8_t *description, size_t len);
} wm_intake_handlers;

/* `max_bytes`: of a message that is kept. NULL when out of memory. */
wm_intake *wm_intake_new(size_t max_bytes, const wm_intake_handlers *handlers, void *user);
void wm_intake_free(wm_intake *in);
/* Whether a part of a message is there. */
bool wm_intake_is_busy(const wm_intake *in);
/* Takes a piece of a message, of which `to_come` bytes are known to follow; with
 * `is_last` the message is whole. WM_OK; a code < 0 of wm_message_parse, of a handler, or
 * WM_ENOMEM: the connection is of no use any more. */
int wm_intake_put(wm_intake *in, const uint8_t *bytes, size_t len, uint64_t to_come, bool is_last, bool text);
#endif
