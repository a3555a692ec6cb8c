#ifndef SIM_MERKLE_H
#define SIM_MERKLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The Merkle trie of one map on one node: paths are the first three hex digits
 * of a key's hash, the hash of a node is the 32-bit sum of the items below it.
 * It also is the list of the records of each leaf. */

#define SIM_MERKLE_DEPTH 3

/* What a record carries to stand in a leaf. */
typedef struct sim_merkle_item {
    struct sim_merkle_item *next;
    struct sim_merkle_item *prev;
    uint32_t key_hash;
    uint32_t item_hash;
} sim_merkle_item;

typedef struct sim_merkle_leaf {
    sim_merkle_item *first;
    uint32_t sum;
    bool seen; /* held something once: 0.11 lists emptied nodes for ever */
} sim_merkle_leaf;

typedef struct sim_merkle_branch {
    sim_merkle_leaf leaves[16];
    uint32_t sum;
    uint32_t items;
} sim_merkle_branch;

typedef struct sim_merkle {
    sim_merkle_branch *branches[256]; /* NULL until the first item */
    bool keep_empty;
} sim_merkle;

void sim_merkle_close(sim_merkle *m);
void sim_merkle_add(sim_merkle *m, sim_merkle_item *item);
void sim_merkle_remove(sim_merkle *m, sim_merkle_item *item);
/* The item's hash changes, its key does not. */
void sim_merkle_change(sim_merkle *m, sim_merkle_item *item, uint32_t item_hash);

uint32_t sim_merkle_root(const sim_merkle *m);
/* The children of a path of 0 to 2 hex digits: bit i of the result says that
 * child i is there, its hash is in sums[i]. 0 for any other or unknown path. */
uint16_t sim_merkle_children(const sim_merkle *m, const char *path, size_t len, uint32_t sums[16]);
/* The first item of the leaf at a path of 3 digits; NULL when there is none. */
const sim_merkle_item *sim_merkle_leaf_items(const sim_merkle *m, const char *path, size_t len);
#endif
