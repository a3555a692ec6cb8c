#ifndef SIM_MERKLE_H
#define SIM_MERKLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The Merkle trie of one map at one server node. A path is the first 0 to 3 lower-case hex digits
 * of a key's 32-bit hash; a leaf stands at 3 digits and lists its records. The hash of a trie node
 * is the sum, modulo 2^32, of item_hash of all records below it. It stays listed when its last item
 * goes, as on the servers. */

#define SIM_MERKLE_DEPTH 3

/* The part of a record that links it into a leaf. The record owns it. */
typedef struct sim_merkle_item {
    struct sim_merkle_item *next;
    struct sim_merkle_item *prev;
    struct sim_merkle_item *next_of_partition; /* see partition_tree.h */
    struct sim_merkle_item *prev_of_partition;
    uint32_t key_hash;
    uint32_t item_hash;
} sim_merkle_item;

typedef struct sim_merkle_leaf {
    sim_merkle_item *first;
    uint32_t sum;
    bool seen; /* has held an item */
} sim_merkle_leaf;

typedef struct sim_merkle_branch {
    sim_merkle_leaf leaves[16];
    uint32_t sum;
} sim_merkle_branch;

typedef struct sim_merkle {
    sim_merkle_branch *branches[256]; /* by the first two digits; NULL until the first item */
} sim_merkle;

/* Frees the trie, not the items. */
void sim_merkle_close(sim_merkle *m);
/* Links the item, with its two hashes set; it has to stay where it is until it is removed. */
void sim_merkle_add(sim_merkle *m, sim_merkle_item *item);
/* Unlinks an item of the trie. */
void sim_merkle_remove(sim_merkle *m, sim_merkle_item *item);
/* Sets item_hash of an item of the trie. */
void sim_merkle_change(sim_merkle *m, sim_merkle_item *item, uint32_t item_hash);

/* Reads a path of up to three lower-case hex digits as a number. False for anything else. */
bool sim_merkle_path_read(const char *path, size_t len, uint32_t *out);
/* The hash of the whole trie; 0 when it is empty. */
uint32_t sim_merkle_root(const sim_merkle *m);
/* The children of the trie node at a path of 0 to 2 digits: bit i of the result says that child i
 * exists, and sums[i] is its hash. 0 for an unknown or another path. */
uint16_t sim_merkle_children(const sim_merkle *m, const char *path, size_t len, uint32_t sums[16]);
/* The first item of the leaf at a path of 3 digits; NULL when there is none. */
const sim_merkle_item *sim_merkle_leaf_items(const sim_merkle *m, const char *path, size_t len);
#endif
