#ifndef SIM_SIM_H
#define SIM_SIM_H

/* `wingman sim`: a simulated TopGun cluster in this process, until Ctrl-C or (in
 * control mode) the end of standard input. argv[0] is "sim". The exit code. */
int wm_sim_main(int argc, char **argv);
#endif
