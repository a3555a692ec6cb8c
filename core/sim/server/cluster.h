#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H
#include "sim/model/state.h"

/* The cluster: several nodes in one process, and their membership changes. */

/* Makes and starts the nodes. Borrows `options`. NULL, with the reason on standard error, when a
 * port cannot be had. */
sim_cluster *sim_cluster_new(uv_loop_t *loop, const sim_options *options);
/* Ends all nodes and connections. The loop has to run after it, to close their handles, and before
 * sim_cluster_free. */
void sim_cluster_close(sim_cluster *c);
void sim_cluster_free(sim_cluster *c);

/* Membership changes. Each returns NULL, or a static text that says why it cannot be done. */

/* Ends a node as SIGKILL does; the others notice it after options->detection_ms. */
const char *sim_cluster_kill(sim_cluster *c, sim_node *n);
/* Ends a node as SIGTERM does: it leaves the cluster at once. */
const char *sim_cluster_stop(sim_cluster *c, sim_node *n);
/* Starts a node that was killed or stopped. Its memory is empty, its port the same. */
const char *sim_cluster_restart(sim_cluster *c, sim_node *n);
/* Gives a partition to another owner, for as long as that node is a member. */
const char *sim_cluster_move(sim_cluster *c, uint32_t partition, sim_node *to);
#endif
