#ifndef SIM_ORDER_H
#define SIM_ORDER_H
#include "sim/model/state.h"

/* The control channel's state, and what its commands share: error, node and number arguments. */

struct sim_injected;

typedef struct sim_control {
    sim_cluster *cluster;
    wm_buffer input;               /* the line so far */
    wm_buffer answer;              /* of the present command: JSON members that follow "ok", each after a comma */
    char error[256];               /* of the last command that failed */
    struct sim_injected *injected; /* connections without a socket; see control_inject.h */
    bool quit;
} sim_control;

/* Sets the command's error; always false, so that a command can return it. */
bool sim_control_fail(sim_control *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The node with this id; NULL, with the error set, when there is none. */
sim_node *sim_control_node(sim_control *k, const char *id);
/* Parses a decimal number of 0 to `max`. False, with an error that names `what`, for anything else. */
bool sim_control_number(sim_control *k, const char *what, const char *text, uint64_t max, uint64_t *out);
#endif
