#include "sim/model/merkle.h"

#include <stdlib.h>

#include "sim/wire/alloc.h"

void sim_merkle_close(sim_merkle *m)
{
    for (int i = 0; i < 256; i++) {
        free(m->branches[i]);
        m->branches[i] = NULL;
    }
}

static sim_merkle_branch *branch_of(const sim_merkle *m, const sim_merkle_item *item)
{
    return m->branches[item->key_hash >> 24];
}

static sim_merkle_leaf *leaf_of(sim_merkle_branch *b, const sim_merkle_item *item)
{
    return &b->leaves[item->key_hash >> 20 & 15];
}

void sim_merkle_add(sim_merkle *m, sim_merkle_item *item)
{
    sim_merkle_branch **slot = &m->branches[item->key_hash >> 24];
    if (*slot == NULL) *slot = sim_alloc(sizeof **slot);
    sim_merkle_leaf *leaf = leaf_of(*slot, item);
    item->prev = NULL;
    item->next = leaf->first;
    if (leaf->first != NULL) leaf->first->prev = item;
    leaf->first = item;
    leaf->seen = true;
    leaf->sum += item->item_hash;
    (*slot)->sum += item->item_hash;
}

void sim_merkle_remove(sim_merkle *m, sim_merkle_item *item)
{
    sim_merkle_branch *branch = branch_of(m, item);
    sim_merkle_leaf *leaf = leaf_of(branch, item);
    if (item->prev != NULL) item->prev->next = item->next;
    else leaf->first = item->next;
    if (item->next != NULL) item->next->prev = item->prev;
    leaf->sum -= item->item_hash;
    branch->sum -= item->item_hash;
}

void sim_merkle_change(sim_merkle *m, sim_merkle_item *item, uint32_t item_hash)
{
    sim_merkle_branch *branch = branch_of(m, item);
    uint32_t difference = item_hash - item->item_hash;
    leaf_of(branch, item)->sum += difference;
    branch->sum += difference;
    item->item_hash = item_hash;
}

uint32_t sim_merkle_root(const sim_merkle *m)
{
    uint32_t sum = 0;
    for (int i = 0; i < 256; i++)
        if (m->branches[i] != NULL) sum += m->branches[i]->sum;
    return sum;
}

bool sim_merkle_path_read(const char *path, size_t len, uint32_t *out)
{
    uint32_t v = 0;
    if (len > SIM_MERKLE_DEPTH) return false;
    for (size_t i = 0; i < len; i++) {
        char c = path[i];
        if (c >= '0' && c <= '9') v = v << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f') v = v << 4 | (uint32_t)(c - 'a' + 10);
        else return false;
    }
    *out = v;
    return true;
}

uint16_t sim_merkle_children(const sim_merkle *m, const char *path, size_t len, uint32_t sums[16])
{
    uint32_t at;
    uint16_t there = 0;
    for (int i = 0; i < 16; i++) sums[i] = 0;
    if (len >= SIM_MERKLE_DEPTH || !sim_merkle_path_read(path, len, &at)) return 0;

    if (len == 2) {
        const sim_merkle_branch *b = m->branches[at];
        for (uint32_t i = 0; b != NULL && i < 16; i++) {
            if (!b->leaves[i].seen) continue;
            there |= (uint16_t)(1u << i);
            sums[i] = b->leaves[i].sum;
        }
        return there;
    }
    /* Branches at[00..0f] below one digit, or all 256 below the root. */
    uint32_t first = len == 1 ? at << 4 : 0, count = len == 1 ? 16 : 256;
    for (uint32_t i = 0; i < count; i++) {
        const sim_merkle_branch *b = m->branches[first + i];
        if (b == NULL) continue;
        uint32_t child = len == 1 ? i : i >> 4;
        there |= (uint16_t)(1u << child);
        sums[child] += b->sum;
    }
    return there;
}

const sim_merkle_item *sim_merkle_leaf_items(const sim_merkle *m, const char *path, size_t len)
{
    uint32_t at;
    if (len != SIM_MERKLE_DEPTH || !sim_merkle_path_read(path, len, &at)) return NULL;
    const sim_merkle_branch *b = m->branches[at >> 4];
    return b != NULL ? b->leaves[at & 15].first : NULL;
}
