#include "oplog/op_arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* In front of each span: who owns it and how long it is, for compaction. */
typedef struct span_header {
    uint32_t owner;
    uint32_t len;
} span_header;

typedef struct chunk {
    uint8_t *mem;
    size_t size;
    size_t used; /* while it is not the current one */
    size_t live_bytes;
    uint32_t live_spans;
    uint32_t next_free; /* in the list of empty chunks */
} chunk;

#define NO_CHUNK UINT32_MAX
#define SPAN_ALIGN 8u
/* Empty chunks of the standard size that are kept for reuse. */
#define KEPT_EMPTY 256u

struct wm_op_arena {
    uint8_t *at;  /* where the next span goes, in the current chunk */
    uint8_t *end; /* of that chunk */
    size_t chunk_bytes;
    chunk *chunks;
    uint32_t count;
    uint32_t cap;
    uint32_t current;
    uint32_t empty; /* chunks with memory and nothing in it */
    uint32_t empty_count;
    uint32_t bare; /* slots without memory */
    size_t footprint;
};

static size_t aligned(size_t n)
{
    return (n + SPAN_ALIGN - 1) & ~(size_t)(SPAN_ALIGN - 1);
}

static uint32_t new_slot(wm_op_arena *a)
{
    if (a->bare != NO_CHUNK) {
        uint32_t i = a->bare;
        a->bare = a->chunks[i].next_free;
        return i;
    }
    if (a->count == a->cap) {
        uint32_t cap = a->cap ? a->cap * 2 : 16;
        chunk *grown = realloc(a->chunks, cap * sizeof *grown);
        if (grown == NULL) return NO_CHUNK;
        a->chunks = grown;
        a->cap = cap;
    }
    return a->count++;
}

static void drop_chunk(wm_op_arena *a, uint32_t i)
{
    chunk *c = &a->chunks[i];
    a->footprint -= c->size;
    free(c->mem);
    *c = (chunk){.next_free = a->bare};
    a->bare = i;
}

static void chunk_emptied(wm_op_arena *a, uint32_t i)
{
    chunk *c = &a->chunks[i];
    if (i == a->current) {
        a->at = c->mem;
        return;
    }
    if (c->size != a->chunk_bytes || a->empty_count >= KEPT_EMPTY) {
        drop_chunk(a, i);
        return;
    }
    c->next_free = a->empty;
    a->empty = i;
    a->empty_count++;
}

static uint32_t take_chunk(wm_op_arena *a, size_t size)
{
    if (size <= a->chunk_bytes && a->empty != NO_CHUNK) {
        uint32_t i = a->empty;
        a->empty = a->chunks[i].next_free;
        a->empty_count--;
        return i;
    }
    if (size < a->chunk_bytes) size = a->chunk_bytes;
    uint8_t *mem = malloc(size);
    if (mem == NULL) return NO_CHUNK;
    uint32_t i = new_slot(a);
    if (i == NO_CHUNK) {
        free(mem);
        return NO_CHUNK;
    }
    a->chunks[i] = (chunk){.mem = mem, .size = size, .next_free = NO_CHUNK};
    a->footprint += size;
    return i;
}

wm_op_arena *wm_op_arena_new(size_t chunk_bytes)
{
    wm_op_arena *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    a->chunk_bytes = chunk_bytes;
    a->current = a->empty = a->bare = NO_CHUNK;
    return a;
}

void wm_op_arena_free(wm_op_arena *a)
{
    if (a == NULL) return;
    for (uint32_t i = 0; i < a->count; i++) free(a->chunks[i].mem);
    free(a->chunks);
    free(a);
}

/* Another chunk becomes the current one. */
static bool next_chunk(wm_op_arena *a, size_t need)
{
    uint32_t next = take_chunk(a, need);
    if (next == NO_CHUNK) return false;
    uint32_t previous = a->current;
    if (previous != NO_CHUNK) a->chunks[previous].used = (size_t)(a->at - a->chunks[previous].mem);
    a->current = next;
    if (previous != NO_CHUNK && a->chunks[previous].live_spans == 0) chunk_emptied(a, previous);
    const chunk *c = &a->chunks[next];
    a->at = c->mem;
    a->end = c->mem + c->size;
    return true;
}

uint8_t *wm_op_arena_reserve(wm_op_arena *a, size_t size, size_t *available)
{
    size_t need = sizeof(span_header) + size;
    if ((size_t)(a->end - a->at) < need && !next_chunk(a, need)) return NULL;
    *available = (size_t)(a->end - a->at) - sizeof(span_header);
    return a->at + sizeof(span_header);
}

wm_op_span wm_op_arena_commit(wm_op_arena *a, uint32_t len, uint32_t owner)
{
    chunk *c = &a->chunks[a->current];
    span_header header = {owner, len};
    memcpy(a->at, &header, sizeof header);
    wm_op_span span = {a->at + sizeof header, len, a->current};
    size_t size = aligned(sizeof header + len), room = (size_t)(a->end - a->at);
    a->at += size < room ? size : room;
    c->live_bytes += len;
    c->live_spans++;
    return span;
}

void wm_op_arena_release(wm_op_arena *a, const wm_op_span *span)
{
    chunk *c = &a->chunks[span->chunk];
    c->live_bytes -= span->len;
    if (--c->live_spans == 0) chunk_emptied(a, span->chunk);
}

size_t wm_op_arena_footprint(const wm_op_arena *a)
{
    return a->footprint;
}

void wm_op_arena_compact(wm_op_arena *a, wm_op_span *(*span_of)(void *user, uint32_t owner), void *user)
{
    size_t kept_empty = (size_t)a->empty_count * a->chunk_bytes, live_bytes = 0;
    for (uint32_t i = 0; i < a->count; i++) live_bytes += a->chunks[i].live_bytes;
    if (a->footprint - kept_empty < 4 * live_bytes + 4 * a->chunk_bytes) return;
    uint32_t count = a->count; /* chunks that the moves add are full enough */
    for (uint32_t i = 0; i < count; i++) {
        if (i == a->current || a->chunks[i].live_spans == 0) continue;
        if (a->chunks[i].live_bytes > a->chunks[i].size / 4) continue;
        size_t pos = 0;
        size_t used = a->chunks[i].used;
        while (pos + sizeof(span_header) <= used) {
            uint8_t *at = a->chunks[i].mem + pos;
            span_header header;
            memcpy(&header, at, sizeof header);
            wm_op_span *span = span_of(user, header.owner);
            pos += aligned(sizeof header + header.len);
            if (span == NULL || span->bytes != at + sizeof header) continue;
            size_t available;
            uint8_t *to = wm_op_arena_reserve(a, header.len, &available);
            if (to == NULL) return;
            memcpy(to, span->bytes, header.len);
            wm_op_span moved = wm_op_arena_commit(a, header.len, header.owner);
            wm_op_span old = *span;
            *span = moved;
            bool last = a->chunks[i].live_spans == 1;
            wm_op_arena_release(a, &old);
            if (last) break; /* the chunk may be gone */
        }
    }
}
