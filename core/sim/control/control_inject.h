#ifndef SIM_CONTROL_INJECT_H
#define SIM_CONTROL_INJECT_H
#include "sim/control/order.h"

/* Commands for injected connections, which have a session and no socket (specs compare their
 * frames), and for bytes that no server would send. argv[0] is the command's first argument.
 * False, with the error in `k`. */

/* ID CONNECTION [HEX...]: opens the injected connection if it is new, and has the node receive
 * each HEX as a binary frame. */
bool sim_control_inject(sim_control *k, int argc, char **argv);
/* The same with text frames. */
bool sim_control_inject_text(sim_control *k, int argc, char **argv);
/* ID binary|text|raw [HEX [TIMES]]: the node sends these bytes, so often (1), to all its clients that have sockets. */
bool sim_control_send(sim_control *k, int argc, char **argv);
/* CONNECTION: answers with the frames that the node sent on it since the last take-frames, and with the
 * close code if it was closed. The connection stays. */
bool sim_control_take_frames(sim_control *k, int argc, char **argv);
/* Ends and frees all injected connections. */
void sim_control_close_injected(sim_control *k);
#endif
