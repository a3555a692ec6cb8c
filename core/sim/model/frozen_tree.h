#ifndef SIM_FROZEN_TREE_H
#define SIM_FROZEN_TREE_H
#include "cluster/merkle_sums.h"
#include "sim/model/store.h"

/* What a node of head with disk storage lists of one map on one connection: the keys that the map had, in
 * their leaves, and the sums over them. It stays as it was made, while the records of the keys change. */

#define SIM_FROZEN_LEAVES 4096

typedef struct sim_frozen_key {
    const char *text;
    uint32_t len;
    uint32_t hash;
} sim_frozen_key;

typedef struct sim_frozen_tree {
    struct sim_frozen_tree *next; /* of the connection */
    const sim_name *map;
    wm_merkle_sums *sums;
    sim_frozen_key *keys; /* by leaf */
    char *texts;
    uint32_t starts[SIM_FROZEN_LEAVES + 1]; /* by leaf: where its keys begin, and behind the last one */
} sim_frozen_tree;

/* Lists a map; NULL has no keys. Free with sim_frozen_tree_free. */
sim_frozen_tree *sim_frozen_tree_new(const sim_name *name, const sim_map *map, uint32_t partitions);
void sim_frozen_tree_free(sim_frozen_tree *t);
/* The children of a place, as sim_merkle_children gives them. */
uint16_t sim_frozen_tree_children(const sim_frozen_tree *t, const char *path, size_t len, uint32_t sums[16]);
/* The keys of the leaf at a path of 3 digits, and how many they are; 0 for any other path. */
const sim_frozen_key *sim_frozen_tree_leaf(const sim_frozen_tree *t, const char *path, size_t len, uint32_t *count);
#endif
