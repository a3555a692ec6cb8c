#ifndef SIM_CONTROL_FAULT_H
#define SIM_CONTROL_FAULT_H
#include "sim/control/order.h"

/* The command `fault ID|all NAME [ARGS]`: sets a fault of a node, or does it at once.
 * argv[0] is the command's first argument. False, with the error in `k`. */
bool sim_control_fault(sim_control *k, int argc, char **argv);
#endif
