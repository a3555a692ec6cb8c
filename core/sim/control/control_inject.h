#ifndef SIM_CONTROL_INJECT_H
#define SIM_CONTROL_INJECT_H
#include "sim/control/order.h"

/* Connections in memory, for specs that compare frames, and bytes that no server would send;
 * argv[0] is the first argument. */
bool sim_control_inject(sim_control *k, int argc, char **argv);
bool sim_control_inject_text(sim_control *k, int argc, char **argv);
bool sim_control_send(sim_control *k, int argc, char **argv);
bool sim_control_eject(sim_control *k, int argc, char **argv);
/* Closes all connections in memory. */
void sim_control_close_injected(sim_control *k);
#endif
