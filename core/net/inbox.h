#ifndef WM_INBOX_H
#define WM_INBOX_H
#include "wire/frame_reader.h"

/* Messages of one connection that were received and not read yet, because the deadline of the iteration
 * had passed. */
typedef struct wm_inbox wm_inbox;

/* NULL when out of memory. */
wm_inbox *wm_inbox_new(void);
void wm_inbox_free(wm_inbox *in);
/* Drops all messages. */
void wm_inbox_clear(wm_inbox *in);
typedef enum wm_letter_kind {
    WM_LETTER_BINARY,
    WM_LETTER_TEXT,
    WM_LETTER_TOO_LARGE, /* description of a message that was too large: wm_message_describe */
} wm_letter_kind;
/* Adds a message: a copy of its bytes or, when `whole` is not empty, that buffer's memory, which the
 * inbox takes over. WM_OK or WM_ENOMEM. */
int wm_inbox_put(wm_inbox *in, const uint8_t *bytes, size_t len, wm_letter_kind kind, wm_buffer *whole);
bool wm_inbox_is_empty(const wm_inbox *in);
/* Bytes of all messages in the inbox. */
size_t wm_inbox_bytes(const wm_inbox *in);

typedef struct wm_inbox_handlers {
    wm_frame_handlers frames;
    void (*text)(void *user, const uint8_t *bytes, size_t len);
    void (*too_large)(void *user, const uint8_t *description, size_t len);
} wm_inbox_handlers;
/* Reads one piece of the oldest message, as wm_frame_reader_next. A handler may clear the inbox. */
int wm_inbox_read(wm_inbox *in, const wm_inbox_handlers *handlers, void *user);
#endif
