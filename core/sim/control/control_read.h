#ifndef SIM_CONTROL_READ_H
#define SIM_CONTROL_READ_H
#include "sim/control/order.h"

/* Commands that report the cluster's state. argv[0] is the command's first argument. False, with
 * the error in `k`, when a node is unknown. */

/* MAP [ID]: all records of the map with their tombstones, at one node or at each. */
bool sim_control_dump(sim_control *k, int argc, char **argv);
/* MAP: how many records of the map each node holds, tombstones not counted. */
bool sim_control_counts(sim_control *k, int argc, char **argv);
/* The counters of each node. */
bool sim_control_stats(sim_control *k, int argc, char **argv);
/* ID: the open connections of the node, and what they carried. */
bool sim_control_connections(sim_control *k, int argc, char **argv);
/* ID: ids and keys of the last operations that arrived at the node. */
bool sim_control_received(sim_control *k, int argc, char **argv);
/* ID: the same operations with time, writer, session and outcome. */
bool sim_control_arrivals(sim_control *k, int argc, char **argv);
/* Sets the counters of all nodes to 0, and forgets the operations that arrived. */
bool sim_control_reset_stats(sim_control *k, int argc, char **argv);
/* Id, URL, state and map version of each node. */
bool sim_control_nodes(sim_control *k, int argc, char **argv);
#endif
