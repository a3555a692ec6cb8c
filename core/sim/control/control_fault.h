#ifndef SIM_CONTROL_FAULT_H
#define SIM_CONTROL_FAULT_H
#include "sim/control/order.h"

/* The command `fault`; argv[0] is the first argument. */
bool sim_control_fault(sim_control *k, int argc, char **argv);
#endif
