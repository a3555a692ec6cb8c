#ifndef SIM_SIM_H
#define SIM_SIM_H
#include "sim/model/options.h"

/* Runs a simulated TopGun cluster in this process, until SIGINT or SIGTERM. With `control` it ends at
 * SIGTERM, `quit`, or the end of standard input. `options` is read until it returns.
 * Returns the exit code: 0, 1 when a port cannot be had. */
int wm_sim_run(const sim_options *options);
#endif
