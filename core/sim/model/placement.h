#ifndef SIM_PLACEMENT_H
#define SIM_PLACEMENT_H
#include "sim/model/state.h"

/* Placement: owner and backup of each partition, and (0.11) moving the records there. */

/* Computes owners and backups of the cluster. With n members in the order of their ids, member
 * `partition mod n` owns a partition, unless it was moved to another member; the member after the
 * owner is the backup. */
void sim_placement_update(sim_cluster *c);
/* Whether the node owns or backs up the partition in the cluster's placement. */
bool sim_placement_holds(const sim_node *n, uint32_t partition);
/* Copies every record of the running members to the owner and the backup of its partition, and
 * removes it from all other nodes; it stays where it is while owner and backup are both down.
 * For dialects that replicate. */
void sim_placement_redistribute(sim_cluster *c);
/* Stores a copy of a write at the node `to`, unless the record there is as new or newer. */
void sim_placement_copy(sim_node *to, const sim_name *map, const sim_write *w);
#endif
