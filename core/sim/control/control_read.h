#ifndef SIM_CONTROL_READ_H
#define SIM_CONTROL_READ_H
#include "sim/control/order.h"

/* Commands that read a cluster's state back; argv[0] is the first argument. */
bool sim_control_dump(sim_control *k, int argc, char **argv);
bool sim_control_counts(sim_control *k, int argc, char **argv);
bool sim_control_stats(sim_control *k, int argc, char **argv);
bool sim_control_received(sim_control *k, int argc, char **argv);
bool sim_control_arrivals(sim_control *k, int argc, char **argv);
bool sim_control_reset_stats(sim_control *k, int argc, char **argv);
bool sim_control_nodes(sim_control *k, int argc, char **argv);
#endif
