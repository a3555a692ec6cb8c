#ifndef SIM_SIM_H
#define SIM_SIM_H

/* Runs `wingman sim`, a simulated TopGun cluster in this process, until SIGINT or SIGTERM. With
 * --control it ends at SIGTERM, `quit`, or the end of standard input. argv[0] is "sim".
 * Returns the exit code: 0, 1 when a port cannot be had, 2 for wrong options. */
int wm_sim_main(int argc, char **argv);
#endif
