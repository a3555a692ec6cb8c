#include "sim/model/frozen_tree.h"

#include <stdlib.h>
#include <string.h>

#include "sim/wire/alloc.h"

static uint32_t leaf_of(const sim_record *r)
{
    return r->item.key_hash >> 20;
}

/* Sets `starts`; the bytes of all keys. */
static size_t count_keys(sim_frozen_tree *t, const sim_map *map)
{
    size_t bytes = 0;
    for (const sim_record *r = map->first; r != NULL; r = r->next) {
        t->starts[leaf_of(r) + 1]++;
        bytes += r->key_len;
    }
    for (uint32_t i = 0; i < SIM_FROZEN_LEAVES; i++) t->starts[i + 1] += t->starts[i];
    return bytes;
}

static void list_keys(sim_frozen_tree *t, const sim_map *map)
{
    uint32_t next[SIM_FROZEN_LEAVES];
    char *text = t->texts;
    memcpy(next, t->starts, sizeof next);
    for (const sim_record *r = map->first; r != NULL; r = r->next) {
        memcpy(text, r->key, r->key_len);
        t->keys[next[leaf_of(r)]++] = (sim_frozen_key){text, r->key_len, r->item.key_hash};
        text += r->key_len;
        if (wm_merkle_sums_add(t->sums, r->item.key_hash, r->item.item_hash) != 0) abort();
    }
}

sim_frozen_tree *sim_frozen_tree_new(const sim_name *name, const sim_map *map, uint32_t partitions)
{
    sim_frozen_tree *t = sim_alloc(sizeof *t);
    t->map = name;
    t->sums = wm_merkle_sums_new(WM_MERKLE_MIXED, partitions);
    if (t->sums == NULL) abort();
    if (map == NULL || map->count == 0) return t;
    t->texts = sim_alloc(count_keys(t, map) + 1);
    t->keys = sim_alloc(map->count * sizeof *t->keys);
    list_keys(t, map);
    return t;
}

void sim_frozen_tree_free(sim_frozen_tree *t)
{
    wm_merkle_sums_free(t->sums);
    free(t->keys);
    free(t->texts);
    free(t);
}

uint16_t sim_frozen_tree_children(const sim_frozen_tree *t, const char *path, size_t len, uint32_t sums[16])
{
    uint32_t at;
    uint16_t there = 0;
    memset(sums, 0, 16 * sizeof *sums);
    if (len >= SIM_MERKLE_DEPTH || !sim_merkle_path_read(path, len, &at)) return 0;
    uint32_t depth = (uint32_t)len + 1, below = 1u << 4 * (SIM_MERKLE_DEPTH - depth); /* leaves of each child */
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t digits = at << 4 | i;
        if (t->starts[digits * below] == t->starts[(digits + 1) * below]) continue;
        there |= (uint16_t)(1u << i);
        sums[i] = wm_merkle_sums_at(t->sums, depth, digits);
    }
    return there;
}

const sim_frozen_key *sim_frozen_tree_leaf(const sim_frozen_tree *t, const char *path, size_t len, uint32_t *count)
{
    uint32_t leaf;
    *count = 0;
    if (len != SIM_MERKLE_DEPTH || !sim_merkle_path_read(path, len, &leaf)) return NULL;
    *count = t->starts[leaf + 1] - t->starts[leaf];
    return t->keys + t->starts[leaf];
}
