#include "client/parts/indoubt_writes.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/value_hash.h"

#define NONE UINT32_MAX

/* A ring of hashes, oldest overwritten, with chains by bucket for the search. */
struct wm_indoubt_writes {
    uint64_t hashes[WM_INDOUBT_WRITES_MAX];
    uint32_t chain[WM_INDOUBT_WRITES_MAX]; /* the next older entry of the bucket */
    uint32_t buckets[WM_INDOUBT_WRITES_MAX];
    uint32_t next; /* where the next one goes */
    uint32_t count;
};

static uint32_t bucket_of(uint64_t hash)
{
    return (uint32_t)(hash % WM_INDOUBT_WRITES_MAX);
}

wm_indoubt_writes *wm_indoubt_writes_new(void)
{
    wm_indoubt_writes *d = malloc(sizeof *d);
    if (d == NULL) return NULL;
    d->next = d->count = 0;
    for (uint32_t i = 0; i < WM_INDOUBT_WRITES_MAX; i++) d->buckets[i] = NONE;
    return d;
}

void wm_indoubt_writes_free(wm_indoubt_writes *d)
{
    free(d);
}

static bool hash_write(const char *map, size_t map_len, const char *key, size_t key_len, const uint8_t *value,
                       size_t value_len, uint64_t *out)
{
    uint64_t of_value;
    if (!wm_value_hash(value, value_len, &of_value)) return false;
    *out = XXH64(key, key_len, XXH64(map, map_len, of_value));
    return true;
}

/* NONE when it is not there. */
static uint32_t find(const wm_indoubt_writes *d, uint64_t hash)
{
    uint32_t at = d->buckets[bucket_of(hash)];
    while (at != NONE && d->hashes[at] != hash) at = d->chain[at];
    return at;
}

static void forget(wm_indoubt_writes *d, uint32_t entry)
{
    uint32_t *link = &d->buckets[bucket_of(d->hashes[entry])];
    while (*link != entry) link = &d->chain[*link];
    *link = d->chain[entry];
}

void wm_indoubt_writes_add(wm_indoubt_writes *d, const char *map, size_t map_len, const char *key, size_t key_len,
                           const uint8_t *value, size_t value_len)
{
    uint64_t hash;
    if (!hash_write(map, map_len, key, key_len, value, value_len, &hash) || find(d, hash) != NONE) return;
    if (d->count == WM_INDOUBT_WRITES_MAX) forget(d, d->next);
    else d->count++;
    uint32_t bucket = bucket_of(hash);
    d->hashes[d->next] = hash;
    d->chain[d->next] = d->buckets[bucket];
    d->buckets[bucket] = d->next;
    d->next = (d->next + 1) % WM_INDOUBT_WRITES_MAX;
}

bool wm_indoubt_writes_has(const wm_indoubt_writes *d, const char *map, size_t map_len, const char *key,
                           size_t key_len, const uint8_t *value, size_t value_len)
{
    uint64_t hash;
    return hash_write(map, map_len, key, key_len, value, value_len, &hash) && find(d, hash) != NONE;
}
