#ifndef SIM_ORDER_H
#define SIM_ORDER_H
#include "sim/model/state.h"

/* What the commands of the control channel have in common: the order at hand, and its answer. */

struct sim_injected;

typedef struct sim_control {
    sim_cluster *cluster;
    wm_buffer input;  /* the line so far */
    wm_buffer answer; /* members after "ok", each with its comma in front */
    char error[256];
    struct sim_injected *injected; /* connections in memory */
    bool quit;
} sim_control;

/* Keeps a text as the command's error; false, to be returned. */
bool sim_control_fail(sim_control *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The node named, or NULL and the error. */
sim_node *sim_control_node(sim_control *k, const char *id);
/* A decimal number up to `max`; false and the error, which names `what`. */
bool sim_control_number(sim_control *k, const char *what, const char *text, uint64_t max, uint64_t *out);
#endif
