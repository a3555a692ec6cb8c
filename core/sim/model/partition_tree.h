#ifndef SIM_PARTITION_TREE_H
#define SIM_PARTITION_TREE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/model/merkle.h"

/* The Merkle tries of one map by partition, beside the one of the whole map: a v2 node of
 * 2.2.0 has one for each partition and answers for its places, too. */

#define SIM_PARTITION_LEAVES 4096

typedef struct sim_partition_tree {
    sim_merkle_item *first;                 /* every item of the partition */
    uint8_t seen[SIM_PARTITION_LEAVES / 8]; /* a bit for each leaf that holds or held something */
} sim_partition_tree;

typedef struct sim_partition_trees {
    uint32_t count;             /* partitions; 0: this family has no such trees */
    sim_partition_tree **trees; /* by partition, NULL until its first item */
} sim_partition_trees;

/* A path as "056/10b": a partition in three decimal digits, a slash, up to three hex digits. */
typedef struct sim_partition_path {
    uint32_t partition;
    uint32_t first_leaf; /* of the leaves below the path */
    uint32_t leaf_count;
    const char *digits; /* those behind the slash, part of what was read */
    size_t digit_count;
} sim_partition_path;

/* False for any other form. */
bool sim_partition_path_read(const char *path, size_t len, sim_partition_path *out);

void sim_partition_trees_close(sim_partition_trees *t);
void sim_partition_trees_add(sim_partition_trees *t, sim_merkle_item *item);
void sim_partition_trees_remove(sim_partition_trees *t, sim_merkle_item *item);

/* Whether there is, or was, anything at the path; the root of a partition is always there. */
bool sim_partition_trees_know(const sim_partition_trees *t, const sim_partition_path *path);
/* The children as sim_merkle_children gives them. 0 at a leaf. */
uint16_t sim_partition_trees_children(const sim_partition_trees *t, const sim_partition_path *path, uint32_t sums[16]);
#endif
