#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H
#include "sim/model/state.h"

/* N nodes in one process: they start, end, and come to know of each other. */

/* Makes the nodes and starts them. NULL, and the reason on standard error, when
 * a port cannot be had. */
sim_cluster *sim_cluster_new(uv_loop_t *loop, const sim_options *options);
/* Ends all connections and nodes. The loop has to run once more to close its
 * handles; then sim_cluster_free. */
void sim_cluster_close(sim_cluster *c);
void sim_cluster_free(sim_cluster *c);

/* Orders. Each gives NULL, or a text that says why not. */
const char *sim_cluster_kill(sim_cluster *c, sim_node *n);
const char *sim_cluster_stop(sim_cluster *c, sim_node *n);
const char *sim_cluster_restart(sim_cluster *c, sim_node *n);
const char *sim_cluster_move(sim_cluster *c, uint32_t partition, sim_node *to);
#endif
