#include "oplog/retained_ops.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES ((size_t)64 << 10)

static size_t size_of(uint32_t len)
{
    return sizeof(wm_retained_op) + (((size_t)len + 7) & ~(size_t)7);
}

static wm_retained_op *at(const wm_retained_ops *r, size_t place)
{
    return place == r->end ? NULL : (wm_retained_op *)(void *)(r->bytes + place);
}

/* Moves what is kept to the front when that frees a half, so that each byte is moved seldom. */
static bool make_room(wm_retained_ops *r, size_t need)
{
    size_t used = r->end - r->head, cap = r->cap > 0 ? r->cap : FIRST_BYTES;
    if (need > r->max_bytes || used > r->max_bytes - need) return false;
    if (r->cap - r->end >= need) return true;
    if (r->head >= used && r->cap - used >= need) {
        memcpy(r->bytes, r->bytes + r->head, used);
        r->head = 0;
        r->end = used;
        return true;
    }
    while (cap - r->end < need) cap *= 2;
    uint8_t *grown = realloc(r->bytes, cap);
    if (grown == NULL) return false;
    r->bytes = grown;
    r->cap = cap;
    return true;
}

void wm_retained_ops_close(wm_retained_ops *r)
{
    free(r->bytes);
    *r = (wm_retained_ops){0};
}

wm_retained_op *wm_retained_ops_add(wm_retained_ops *r, uint64_t since_us, uint64_t seq, uint32_t len)
{
    size_t need = size_of(len);
    if (!make_room(r, need)) return NULL;
    wm_retained_op *op = (wm_retained_op *)(void *)(r->bytes + r->end);
    *op = (wm_retained_op){.since_us = since_us, .seq = seq, .len = len};
    r->end += need;
    r->count++;
    return op;
}

wm_retained_op *wm_retained_ops_oldest(const wm_retained_ops *r)
{
    return at(r, r->head);
}

wm_retained_op *wm_retained_ops_behind(const wm_retained_ops *r, const wm_retained_op *op)
{
    return at(r, (size_t)((const uint8_t *)op - r->bytes) + size_of(op->len));
}

void wm_retained_ops_pop(wm_retained_ops *r)
{
    r->head += size_of(at(r, r->head)->len);
    if (--r->count == 0) r->head = r->end = 0;
}
