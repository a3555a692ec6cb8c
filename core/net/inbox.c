#include "net/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

typedef struct letter {
    struct letter *next;
    const uint8_t *bytes; /* the bytes, behind this struct or in `memory` */
    size_t len;
    wm_letter_kind kind;
    wm_buffer memory; /* memory that was taken over from a buffer */
} letter;

struct wm_inbox {
    letter *first, *last;
    size_t bytes;
    wm_frame_reader reader; /* bytes of the first letter that were handled */
    bool reading;           /* a handler is on the stack, which uses the first letter */
    bool abandoned;         /* the inbox was cleared by the handler */
};

wm_inbox *wm_inbox_new(void)
{
    return calloc(1, sizeof(wm_inbox));
}

static void drop_first(wm_inbox *in)
{
    letter *l = in->first;
    in->first = l->next;
    if (in->first == NULL) in->last = NULL;
    in->bytes -= l->len;
    wm_buffer_close(&l->memory);
    free(l);
}

void wm_inbox_clear(wm_inbox *in)
{
    if (in == NULL) return;
    in->abandoned = in->reading;
    if (in->reading) return;
    while (in->first != NULL) drop_first(in);
    in->reader.at = WM_FRAME_DONE;
}

void wm_inbox_free(wm_inbox *in)
{
    if (in == NULL) return;
    wm_inbox_clear(in);
    free(in);
}

static letter *letter_of(const uint8_t *bytes, size_t len, wm_buffer *whole)
{
    bool taken = whole->len > 0;
    letter *l = malloc(sizeof *l + (taken ? 0 : len));
    if (l == NULL) return NULL;
    *l = (letter){.bytes = (const uint8_t *)(l + 1), .len = len};
    if (taken) {
        l->bytes = whole->data;
        l->memory = *whole;
        wm_buffer_init(whole);
    } else {
        memcpy(l + 1, bytes, len);
    }
    return l;
}

int wm_inbox_put(wm_inbox *in, const uint8_t *bytes, size_t len, wm_letter_kind kind, wm_buffer *whole)
{
    letter *l = letter_of(bytes, len, whole);
    if (l == NULL) return WM_ENOMEM;
    l->kind = kind;
    if (in->last != NULL) in->last->next = l;
    else in->first = l;
    in->last = l;
    in->bytes += len;
    return WM_OK;
}

bool wm_inbox_is_empty(const wm_inbox *in)
{
    return in == NULL || in->first == NULL;
}

size_t wm_inbox_bytes(const wm_inbox *in)
{
    return in->bytes;
}

static int read_piece(wm_inbox *in, const wm_inbox_handlers *handlers, void *user)
{
    letter *l = in->first;
    if (l->kind != WM_LETTER_BINARY) {
        (l->kind == WM_LETTER_TEXT ? handlers->text : handlers->too_large)(user, l->bytes, l->len);
        return WM_OK;
    }
    if (!wm_frame_reader_busy(&in->reader)) wm_frame_reader_open(&in->reader, l->bytes, l->len, l->memory.len > 0 ? &l->memory : NULL);
    return wm_frame_reader_next(&in->reader, &handlers->frames, user);
}

int wm_inbox_read(wm_inbox *in, const wm_inbox_handlers *handlers, void *user)
{
    if (in->first == NULL) return WM_OK;
    in->reading = true;
    int rc = read_piece(in, handlers, user);
    in->reading = false;
    if (in->abandoned) wm_inbox_clear(in);
    else if (!wm_frame_reader_busy(&in->reader)) drop_first(in);
    return rc;
}
