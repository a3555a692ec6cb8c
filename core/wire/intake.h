#ifndef WM_INTAKE_H
#define WM_INTAKE_H
#include "wire/message.h"

/* Joins the pieces of the messages of one connection. A message above the limit is not kept: the intake
 * skips it and reports it, by wm_message_describe, at its end. The messages of an envelope (BATCH) that
 * is too large are taken one by one, each with the same limit. */
typedef struct wm_intake wm_intake;

/* A result < 0 ends the intake: no handler is called any more. */
typedef struct wm_intake_handlers {
    /* A whole message, valid during the call. If `whole` is not empty, it holds the message, and the
     * handler may take its memory over and leave it empty. */
    int (*message)(void *user, const uint8_t *bytes, size_t len, bool text, wm_buffer *whole);
    int (*too_large)(void *user, const uint8_t *description, size_t len);
} wm_intake_handlers;

/* `max_bytes`: limit for a message. NULL when out of memory. */
wm_intake *wm_intake_new(size_t max_bytes, const wm_intake_handlers *handlers, void *user);
void wm_intake_free(wm_intake *in);
/* Whether a message has begun and not ended. */
bool wm_intake_is_busy(const wm_intake *in);
/* Takes a piece of a message; at least `to_come` bytes of it follow. `is_last`: the piece ends the
 * message. WM_OK; or a code < 0 of wm_message_parse or a handler, or WM_ENOMEM: close the connection
 * then. */
int wm_intake_put(wm_intake *in, const uint8_t *bytes, size_t len, uint64_t to_come, bool is_last, bool text);
#endif
