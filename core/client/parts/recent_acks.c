#include "client/parts/recent_acks.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64u * 1024u)
/* Pushed out entries are counted by their time in steps of 2^16 us. */
#define STEP_SHIFT 16
#define STEPS ((WM_RECENT_ACKS_SPAN_US >> STEP_SHIFT) + 2)

/* In front of each key; multiples of its alignment apart. */
typedef struct entry {
    uint64_t acked_us;
    uint32_t key_len;
    uint32_t template;
} entry;

typedef struct chunk {
    struct chunk *next; /* towards the newer ones */
    uint64_t newest_us;
    uint32_t size;
    uint32_t read; /* where the oldest entry is */
    uint32_t end;
    uint32_t count;
    uint8_t bytes[];
} chunk;

typedef struct step {
    uint64_t number; /* time >> STEP_SHIFT */
    uint64_t count;
} step;

struct wm_recent_acks {
    chunk *oldest;
    chunk *newest;
    chunk *spare; /* of CHUNK_BYTES, empty */
    size_t bytes; /* of all chunks */
    size_t max_bytes;
    uint64_t count;
    uint64_t newest_us;
    step pushed_out[STEPS];
};

static size_t entry_size(size_t key_len)
{
    return sizeof(entry) + ((key_len + 7) & ~(size_t)7);
}

wm_recent_acks *wm_recent_acks_new(size_t max_bytes)
{
    wm_recent_acks *r = calloc(1, sizeof *r);
    if (r != NULL) r->max_bytes = max_bytes < CHUNK_BYTES ? CHUNK_BYTES : max_bytes;
    return r;
}

static void free_chunks(chunk *c)
{
    while (c != NULL) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
}

void wm_recent_acks_free(wm_recent_acks *r)
{
    if (r == NULL) return;
    free_chunks(r->oldest);
    free_chunks(r->spare);
    free(r);
}

static void count_pushed_out(wm_recent_acks *r, uint64_t acked_us, uint64_t count)
{
    uint64_t number = acked_us >> STEP_SHIFT;
    step *s = &r->pushed_out[number % STEPS];
    if (s->number != number) *s = (step){.number = number};
    s->count += count;
}

/* Takes the oldest chunk out, whatever is in it. */
static void drop_oldest(wm_recent_acks *r)
{
    chunk *c = r->oldest;
    r->oldest = c->next;
    if (r->oldest == NULL) r->newest = NULL;
    r->count -= c->count;
    if (c->size == CHUNK_BYTES) {
        c->next = r->spare;
        r->spare = c;
    } else {
        r->bytes -= c->size;
        free(c);
    }
}

static void push_out_oldest(wm_recent_acks *r)
{
    count_pushed_out(r, r->oldest->newest_us, r->oldest->count);
    drop_oldest(r);
}

/* NULL when out of memory. */
static chunk *take_chunk(wm_recent_acks *r, size_t need)
{
    size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
    while (r->oldest != NULL && (size > CHUNK_BYTES || r->spare == NULL) && r->bytes + size > r->max_bytes) push_out_oldest(r);
    chunk *c = size == CHUNK_BYTES ? r->spare : NULL;
    if (c != NULL) {
        r->spare = c->next;
    } else {
        c = malloc(sizeof *c + size);
        if (c == NULL) return NULL;
        r->bytes += size;
    }
    *c = (chunk){.size = (uint32_t)size};
    if (r->newest != NULL) r->newest->next = c;
    else r->oldest = c;
    r->newest = c;
    return c;
}

void wm_recent_acks_add(wm_recent_acks *r, uint64_t acked_us, uint32_t template, const char *key, size_t key_len)
{
    size_t need = entry_size(key_len);
    chunk *c = r->newest;
    r->newest_us = acked_us;
    if (c == NULL || c->size - c->end < need) c = take_chunk(r, need);
    if (c == NULL) {
        count_pushed_out(r, acked_us, 1);
        return;
    }
    entry *e = (entry *)(void *)(c->bytes + c->end);
    *e = (entry){acked_us, (uint32_t)key_len, template};
    memcpy(e + 1, key, key_len);
    c->end += (uint32_t)need;
    c->newest_us = acked_us;
    c->count++;
    r->count++;
}

bool wm_recent_acks_oldest(const wm_recent_acks *r, wm_recent_ack *out)
{
    const chunk *c = r->oldest;
    if (c == NULL) return false;
    const entry *e = (const entry *)(const void *)(c->bytes + c->read);
    *out = (wm_recent_ack){e->acked_us, (const char *)(e + 1), e->key_len, e->template};
    return true;
}

void wm_recent_acks_pop(wm_recent_acks *r)
{
    chunk *c = r->oldest;
    const entry *e = (const entry *)(const void *)(c->bytes + c->read);
    c->read += (uint32_t)entry_size(e->key_len);
    c->count--;
    r->count--;
    if (c->count == 0) drop_oldest(r);
}

void wm_recent_acks_forget(wm_recent_acks *r, uint64_t before_us)
{
    while (r->oldest != NULL && r->oldest->newest_us < before_us) drop_oldest(r);
}

uint64_t wm_recent_acks_count(const wm_recent_acks *r)
{
    return r->count;
}

uint64_t wm_recent_acks_newest_us(const wm_recent_acks *r)
{
    return r->newest_us;
}

uint64_t wm_recent_acks_take_pushed_out(wm_recent_acks *r, uint64_t since_us)
{
    uint64_t count = 0;
    for (size_t i = 0; i < STEPS; i++) {
        step *s = &r->pushed_out[i];
        if (s->number < since_us >> STEP_SHIFT) continue;
        count += s->count;
        s->count = 0;
    }
    return count;
}
