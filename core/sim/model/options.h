#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

#define SIM_NODES_MAX 64
#define SIM_PARTITIONS_MAX 1024 /* more a client does not take */

typedef struct sim_options {
    uint32_t nodes;
    uint32_t partitions;
    bool is_0_11;                       /* the dialect */
    wm_hash_kind hashes[SIM_NODES_MAX]; /* of each node: 0.11 nodes may differ */
    const char *secret;
    int ports[SIM_NODES_MAX]; /* 0: the system chooses */
    double rate;              /* operations a second per connection; 0: no limit */
    uint64_t seed;
    uint64_t detection_ms;
    uint64_t spread_ms; /* the nodes change their maps at instants so far apart */
    bool no_auth;
    bool control;
    bool sink; /* batches are read and acknowledged, and nothing is stored */
} sim_options;

/* "fnv1a", "xxh64", or "mixed" when the nodes differ. Static. */
const char *sim_options_hash(const sim_options *o);

/* What parsing came to. */
typedef enum sim_options_result {
    SIM_OPTIONS_RUN,
    SIM_OPTIONS_HELP,
    SIM_OPTIONS_WRONG,
} sim_options_result;

/* Fills `out` from the command line; strings belong to argv or are static.
 * On SIM_OPTIONS_WRONG the reason is on standard error, on SIM_OPTIONS_HELP
 * the help on standard output. */
sim_options_result sim_options_parse(int argc, char **argv, sim_options *out);
#endif
