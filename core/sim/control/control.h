#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H
#include "sim/control/order.h"

/* Orders from whoever started the simulator: one command a line, one line of
 * JSON as the answer to each. */

void sim_control_init(sim_control *k, sim_cluster *c);
void sim_control_close(sim_control *k);
/* Takes input as it comes; runs and answers every line that is complete. */
void sim_control_feed(sim_control *k, const char *bytes, size_t len);
/* Writes the line that says the cluster is ready. */
void sim_control_ready(sim_control *k);
/* A token that the cluster accepts, for ten years. */
void sim_control_token(const sim_options *o, char *out, size_t size);
#endif
