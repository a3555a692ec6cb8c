#include "sim/model/partition_tree.h"

#include <stdlib.h>
#include <string.h>

#include "sim/wire/alloc.h"

#define DECIMALS 3

static uint32_t leaf_of(const sim_merkle_item *item)
{
    return item->key_hash >> 20;
}

bool sim_partition_path_read(const char *path, size_t len, sim_partition_path *out)
{
    if (len <= DECIMALS || path[DECIMALS] != '/') return false;
    out->partition = 0;
    for (int i = 0; i < DECIMALS; i++) {
        if (path[i] < '0' || path[i] > '9') return false;
        out->partition = out->partition * 10 + (uint32_t)(path[i] - '0');
    }
    out->digits = path + DECIMALS + 1;
    out->digit_count = len - DECIMALS - 1;
    if (!sim_merkle_path_read(out->digits, out->digit_count, &out->first_leaf)) return false;
    uint32_t width = 4 * (uint32_t)(SIM_MERKLE_DEPTH - out->digit_count);
    out->first_leaf <<= width;
    out->leaf_count = 1u << width;
    return true;
}

static sim_partition_tree *tree_at(const sim_partition_trees *t, uint32_t partition)
{
    return t->trees != NULL && partition < t->count ? t->trees[partition] : NULL;
}

void sim_partition_trees_close(sim_partition_trees *t)
{
    for (uint32_t i = 0; t->trees != NULL && i < t->count; i++) free(t->trees[i]);
    free(t->trees);
    t->trees = NULL;
}

void sim_partition_trees_add(sim_partition_trees *t, sim_merkle_item *item)
{
    if (t->count == 0) return;
    if (t->trees == NULL) t->trees = sim_alloc(t->count * sizeof *t->trees);
    sim_partition_tree **tree = &t->trees[item->key_hash % t->count];
    if (*tree == NULL) *tree = sim_alloc(sizeof **tree);
    (*tree)->seen[leaf_of(item) / 8] |= (uint8_t)(1u << leaf_of(item) % 8);
    item->prev_of_partition = NULL;
    item->next_of_partition = (*tree)->first;
    if ((*tree)->first != NULL) (*tree)->first->prev_of_partition = item;
    (*tree)->first = item;
}

void sim_partition_trees_remove(sim_partition_trees *t, sim_merkle_item *item)
{
    if (t->count == 0) return;
    if (item->prev_of_partition != NULL) item->prev_of_partition->next_of_partition = item->next_of_partition;
    else t->trees[item->key_hash % t->count]->first = item->next_of_partition;
    if (item->next_of_partition != NULL) item->next_of_partition->prev_of_partition = item->prev_of_partition;
}

static bool was_seen(const sim_partition_tree *tree, uint32_t first_leaf, uint32_t leaf_count)
{
    for (uint32_t i = first_leaf; tree != NULL && i < first_leaf + leaf_count; i++)
        if (tree->seen[i / 8] & 1u << i % 8) return true;
    return false;
}

bool sim_partition_trees_know(const sim_partition_trees *t, const sim_partition_path *path)
{
    return path->digit_count == 0 || was_seen(tree_at(t, path->partition), path->first_leaf, path->leaf_count);
}

uint16_t sim_partition_trees_children(const sim_partition_trees *t, const sim_partition_path *path, uint32_t sums[16])
{
    const sim_partition_tree *tree = tree_at(t, path->partition);
    uint32_t below = path->leaf_count / 16; /* leaves of each child */
    uint16_t there = 0;
    memset(sums, 0, 16 * sizeof *sums);
    if (tree == NULL || below == 0) return 0;
    for (uint32_t child = 0; child < 16; child++)
        if (was_seen(tree, path->first_leaf + child * below, below)) there |= (uint16_t)(1u << child);
    for (const sim_merkle_item *i = tree->first; i != NULL; i = i->next_of_partition) {
        uint32_t at = leaf_of(i) - path->first_leaf; /* wraps below the path */
        if (at < path->leaf_count) sums[at / below] += i->item_hash;
    }
    return there;
}
