#ifndef SIM_NODE_H
#define SIM_NODE_H
#include "sim/model/state.h"

/* One server process, as far as it can be one inside of another. */

/* Prepares a node that is not running; its ports are reserved. NULL and a
 * message on standard error when `port` (0: any) cannot be had. */
sim_node *sim_node_new(sim_cluster *c, uint16_t index, int port);
void sim_node_free(sim_node *n);

/* Starts with empty memory. 0 or a libuv error. */
int sim_node_start(sim_node *n);
/* The process is gone: connections are reset or (graceful) closed by the
 * dialect's manners, memory is lost. */
void sim_node_end(sim_node *n, bool graceful);

/* As SIGSTOP and SIGCONT. */
void sim_node_pause(sim_node *n);
void sim_node_resume(sim_node *n);

/* Opens or closes the listening socket as `faults.refuse` and the state say. 0
 * or a libuv error. */
int sim_node_update_listener(sim_node *n);
#endif
