#ifndef SIM_PLACEMENT_H
#define SIM_PLACEMENT_H
#include "sim/model/state.h"

/* Who owns and backs up which partition, and (0.11) that records stand there. */

/* Computes owners and backups from the members: the nodes in the order of their
 * ids, partition i at i mod n, the backup next to it; then the ordered moves. */
void sim_placement_update(sim_cluster *c);
/* Whether the node owns or backs up the partition. */
bool sim_placement_holds(const sim_node *n, uint32_t partition);
/* Gives every surviving copy to the owner and the backup of its partition and
 * takes it from everybody else. For dialects that replicate. */
void sim_placement_redistribute(sim_cluster *c);
/* Stores a copy of a write at another node, when it is newer there. */
void sim_placement_copy(sim_node *to, const sim_name *map, const sim_write *w);
#endif
