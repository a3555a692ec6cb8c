#ifndef WM_BUFFER_H
#define WM_BUFFER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growable array of bytes. It keeps its capacity when it is cleared, so a buffer that is reused
 * allocates nothing once it has held its largest content. */
typedef struct wm_buffer {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool failed; /* an allocation failed: a part of the content is missing, do not send it */
} wm_buffer;

/* Zeroes the struct; nothing is allocated until the first write. */
void wm_buffer_init(wm_buffer *b);
/* Frees the bytes. Safe twice. */
void wm_buffer_close(wm_buffer *b);
/* Removes the content and the failure; keeps the capacity. */
void wm_buffer_clear(wm_buffer *b);
/* Reserves `extra` bytes behind the content. Returns where they begin, valid until the next call that
 * may grow the buffer; NULL, with `failed` set, when out of memory. The caller writes there and adds to
 * `len`. */
uint8_t *wm_buffer_reserve(wm_buffer *b, size_t extra);
/* Appends a copy of `len` bytes. When out of memory, appends nothing and sets `failed`. */
void wm_buffer_append(wm_buffer *b, const void *bytes, size_t len);
/* Removes the first `len` bytes (at most all). */
void wm_buffer_consume(wm_buffer *b, size_t len);
#endif
