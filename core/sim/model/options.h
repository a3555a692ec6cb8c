#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

#define SIM_NODES_MAX 64
#define SIM_PARTITIONS_MAX 1024 /* a client refuses maps with more */

/* What lua/wingman/testbed/sim_options.lua has checked. */
typedef struct sim_options {
    uint32_t nodes;
    uint32_t partitions;
    bool is_0_11;                       /* dialect 0.11; else v2 */
    bool is_head;                       /* v2 as its newest source; else 2.2.0 */
    wm_hash_kind hashes[SIM_NODES_MAX]; /* string hash of each node: 0.11 nodes may differ */
    const char *secret;                 /* HS256 secret of tokens */
    int ports[SIM_NODES_MAX];           /* 0: the system chooses */
    double rate;                        /* operations a second per connection, v2 only; 0: no limit */
    uint32_t event_queue;               /* events that may wait for a connection, v2 only; 0: any number */
    uint64_t seed;
    uint64_t detection_ms; /* from a kill until the other nodes notice it */
    uint64_t spread_ms;    /* within this time after a change the nodes adopt it, each at a random moment */
    bool no_auth;          /* takes connections without a token */
    bool control;          /* takes commands from standard input */
    bool sink;             /* batches are counted and acknowledged, and nothing is stored */
} sim_options;

/* The hash of all nodes, "fnv1a" or "xxh64", or "mixed" when they differ. Static. */
const char *sim_options_hash(const sim_options *o);

/* A secret that nobody else knows. Static, the same at each call. */
const char *sim_options_random_secret(void);
#endif
