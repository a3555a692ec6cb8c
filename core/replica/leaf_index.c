#include "replica/leaf_index.h"

#include <stdlib.h>

#define FIRST_ROOM 4u

typedef struct leaf {
    uint32_t *hashes;
    uint32_t count;
    uint32_t room;
} leaf;

typedef struct wm_leaf_branch {
    leaf leaves[16];
} branch;

void wm_leaf_index_close(wm_leaf_index *x)
{
    for (uint32_t i = 0; i < WM_LEAVES / 16; i++) {
        for (uint32_t k = 0; x->branches[i] != NULL && k < 16; k++) free(x->branches[i]->leaves[k].hashes);
        free(x->branches[i]);
        x->branches[i] = NULL;
    }
}

static leaf *find(const wm_leaf_index *x, uint32_t number)
{
    branch *b = x->branches[number / 16];
    return b != NULL ? &b->leaves[number % 16] : NULL;
}

static bool grow(leaf *l)
{
    uint32_t room = l->room > 0 ? l->room * 2 : FIRST_ROOM;
    uint32_t *grown = realloc(l->hashes, room * sizeof *grown);
    if (grown == NULL) return false;
    l->hashes = grown;
    l->room = room;
    return true;
}

bool wm_leaf_index_add(wm_leaf_index *x, uint32_t hash)
{
    branch **b = &x->branches[wm_leaf_of(hash) / 16];
    if (*b == NULL) *b = calloc(1, sizeof **b);
    if (*b == NULL) return false;
    leaf *l = find(x, wm_leaf_of(hash));
    if (l->count == l->room && !grow(l)) return false;
    l->hashes[l->count++] = hash;
    return true;
}

void wm_leaf_index_remove(wm_leaf_index *x, uint32_t hash)
{
    leaf *l = find(x, wm_leaf_of(hash));
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->hashes[i] != hash) continue;
        l->hashes[i] = l->hashes[--l->count];
        return;
    }
}

const uint32_t *wm_leaf_index_read(const wm_leaf_index *x, uint32_t number, uint32_t *count)
{
    const leaf *l = find(x, number);
    *count = l != NULL ? l->count : 0;
    return l != NULL ? l->hashes : NULL;
}
