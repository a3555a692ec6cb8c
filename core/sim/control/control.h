#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H
#include "sim/control/order.h"

/* The control channel of `wingman sim --control`: the program that started the simulator writes
 * commands to standard input, one a line; each is answered by one line of JSON on standard output. */

/* Borrows the cluster. */
void sim_control_init(sim_control *k, sim_cluster *c);
/* Frees the channel and its injected connections; not the cluster. */
void sim_control_close(sim_control *k);
/* Appends input, cut anywhere; runs and answers every complete line. Stops after `quit`. */
void sim_control_feed(sim_control *k, const char *bytes, size_t len);
/* Writes the first line, {"event":"ready",...}: dialect, hash, secret, a token, and the nodes' URLs. */
void sim_control_ready(sim_control *k);
/* Writes a JWT that the cluster accepts, valid for ten years; "" when `size` is too small. */
void sim_control_token(const sim_options *o, char *out, size_t size);
#endif
