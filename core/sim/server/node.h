#ifndef SIM_NODE_H
#define SIM_NODE_H
#include "sim/model/state.h"

/* A node: a simulated server process with its ports, memory and connections. */

/* Makes a node that is not running, and reserves its ports on 127.0.0.1. NULL, with a message on
 * standard error, when `port` (0: any) cannot be had. */
sim_node *sim_node_new(sim_cluster *c, uint16_t index, int port);
void sim_node_free(sim_node *n);

/* Starts to listen. 0 or a libuv error. */
int sim_node_start(sim_node *n);
/* Ends the node as a process ends: its records are lost, unless the dialect keeps them, its connections are reset, or (graceful)
 * closed as the dialect does at a shutdown. Faults and counters stay. */
void sim_node_end(sim_node *n, bool graceful);

/* Collects the garbage of a 0.11 node: forgets the tombstones that are older than `millis` (Unix
 * milliseconds), and sends GC_PRUNE to every client. */
void sim_node_prune(sim_node *n, uint64_t millis);

/* Ends the sessions that `ms` from now would have been silent for too long. */
void sim_node_idle(sim_node *n, uint64_t ms);

/* Stops and continues the node, as SIGSTOP and SIGCONT do. */
void sim_node_pause(sim_node *n);
void sim_node_resume(sim_node *n);

/* Opens the listening socket of a node that runs, unless it has the fault `refuse`; else closes it.
 * 0 or a libuv error. */
int sim_node_update_listener(sim_node *n);
#endif
