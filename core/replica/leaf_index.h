#ifndef WM_LEAF_INDEX_H
#define WM_LEAF_INDEX_H
#include <stdbool.h>
#include <stdint.h>

/* The hashes of the keys in each leaf of a Merkle tree. A record store finds records by such a hash, so
 * this leads from a leaf to its records. A zeroed index is empty. */

#define WM_LEAVES 4096u

typedef struct wm_leaf_index {
    struct wm_leaf_branch *branches[WM_LEAVES / 16]; /* NULL until one of its 16 leaves holds something */
} wm_leaf_index;

/* The leaf of a key with this hash. */
static inline uint32_t wm_leaf_of(uint32_t hash)
{
    return hash >> 20;
}

void wm_leaf_index_close(wm_leaf_index *x);
/* Adds a key; two keys of one hash are in it twice. False when out of memory. */
bool wm_leaf_index_add(wm_leaf_index *x, uint32_t hash);
/* Removes a key that was added. */
void wm_leaf_index_remove(wm_leaf_index *x, uint32_t hash);
/* The hashes of a leaf, *count of them; valid until the index changes. */
const uint32_t *wm_leaf_index_read(const wm_leaf_index *x, uint32_t leaf, uint32_t *count);
#endif
