#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256
#define BYTES_MAX ((size_t)PTRDIFF_MAX) /* no object is larger */

void wm_buffer_init(wm_buffer *b)
{
    *b = (wm_buffer){0};
}

void wm_buffer_close(wm_buffer *b)
{
    free(b->data);
    *b = (wm_buffer){0};
}

void wm_buffer_clear(wm_buffer *b)
{
    b->len = 0;
    b->failed = false;
}

static bool grow(wm_buffer *b, size_t extra)
{
    if (b->len > BYTES_MAX || extra > BYTES_MAX - b->len) return false;
    size_t need = b->len + extra;
    size_t cap = b->cap ? b->cap : FIRST_CAPACITY;
    while (cap < need) cap *= 2;
    uint8_t *data = realloc(b->data, cap);
    if (data == NULL) return false;
    b->data = data;
    b->cap = cap;
    return true;
}

uint8_t *wm_buffer_reserve(wm_buffer *b, size_t extra)
{
    if (extra > b->cap - b->len || b->data == NULL) {
        if (!grow(b, extra)) {
            b->failed = true;
            return NULL;
        }
    }
    return b->data + b->len;
}

void wm_buffer_append(wm_buffer *b, const void *bytes, size_t len)
{
    if (len == 0) return;
    uint8_t *at = wm_buffer_reserve(b, len);
    if (at == NULL) return;
    memcpy(at, bytes, len);
    b->len += len;
}

void wm_buffer_consume(wm_buffer *b, size_t len)
{
    if (len >= b->len) {
        b->len = 0;
        return;
    }
    if (len == 0) return;
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
}
