#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H
#include "sim/model/cluster.h"

/* Orders from whoever started the simulator: one command a line, one line of
 * JSON as the answer to each. */

struct sim_injected;

typedef struct sim_control {
    sim_cluster *cluster;
    wm_buffer input;  /* the line so far */
    wm_buffer answer; /* members after "ok", each with its comma in front */
    char error[256];
    struct sim_injected *injected; /* connections in memory */
    bool quit;
} sim_control;

void sim_control_init(sim_control *k, sim_cluster *c);
void sim_control_close(sim_control *k);
/* Takes input as it comes; runs and answers every line that is complete. */
void sim_control_feed(sim_control *k, const char *bytes, size_t len);
/* Writes the line that says the cluster is ready. */
void sim_control_ready(sim_control *k);
/* A token that the cluster accepts, for ten years. */
void sim_control_token(const sim_options *o, char *out, size_t size);

/* -- for the files that implement commands -- */

/* Keeps a text as the command's error; false, to be returned. */
bool sim_control_fail(sim_control *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The node named, or NULL and the error. */
sim_node *sim_control_node(sim_control *k, const char *id);
/* A decimal number up to `max`; false and the error, which names `what`. */
bool sim_control_number(sim_control *k, const char *what, const char *text, uint64_t max, uint64_t *out);

typedef struct sim_command {
    const char *name;
    int min_args;
    int max_args;
    const char *usage; /* of the arguments */
    bool (*run)(sim_control *k, int argc, char **argv); /* argv[0] is the first argument */
} sim_command;

bool sim_control_fault(sim_control *k, int argc, char **argv);

bool sim_control_dump(sim_control *k, int argc, char **argv);
bool sim_control_counts(sim_control *k, int argc, char **argv);
bool sim_control_stats(sim_control *k, int argc, char **argv);
bool sim_control_received(sim_control *k, int argc, char **argv);
bool sim_control_arrivals(sim_control *k, int argc, char **argv);
bool sim_control_reset_stats(sim_control *k, int argc, char **argv);
bool sim_control_nodes(sim_control *k, int argc, char **argv);

bool sim_control_inject(sim_control *k, int argc, char **argv);
bool sim_control_inject_text(sim_control *k, int argc, char **argv);
bool sim_control_send(sim_control *k, int argc, char **argv);
bool sim_control_eject(sim_control *k, int argc, char **argv);
void sim_control_close_injected(sim_control *k);
#endif
