#ifndef SIM_STATS_H
#define SIM_STATS_H
#include "base/buffer.h"
#include "sim/wire/operation.h"

/* What a node counted since the simulator started or the last reset-stats; a
 * restart of the node changes nothing. */

#define SIM_KEPT_REQUESTS 100
#define SIM_KEPT_SIZES 1000
#define SIM_KEPT_OPS 100000

typedef struct sim_map_request {
    uint64_t at_ms; /* Unix milliseconds */
    uint64_t current_version;
} sim_map_request;

/* An operation as it arrived. */
typedef struct sim_arrival {
    sim_span id;
    sim_span key;
    sim_span writer; /* who stamped it, and when */
    uint64_t millis;
    uint64_t counter;
    uint64_t session;
    bool foreign; /* its partition belonged to another node */
    bool refused; /* an error answered its batch */
} sim_arrival;

/* What is kept of it: the texts stand one after the other. */
typedef struct sim_received {
    sim_arrival op;
    char *text;
    uint32_t cap;
} sim_received;

typedef struct sim_stats {
    uint64_t opened; /* connections */
    uint64_t auths;
    uint64_t map_requests;
    uint64_t op_batches;
    uint64_t ops; /* inside of op_batches */
    uint64_t client_ops;
    uint64_t foreign_ops; /* for partitions of other nodes, of either kind */
    uint64_t acks;        /* sent */
    uint64_t pings;
    uint64_t received_count;
    sim_map_request requests[SIM_KEPT_REQUESTS]; /* rings */
    uint32_t sizes[SIM_KEPT_SIZES];
    sim_received *received; /* SIM_KEPT_OPS, NULL before the first */
} sim_stats;

void sim_stats_reset(sim_stats *s);
void sim_stats_map_request(sim_stats *s, uint64_t at_ms, uint64_t current_version);
void sim_stats_batch(sim_stats *s, uint32_t size);
/* Copies the texts. */
void sim_stats_received(sim_stats *s, const sim_arrival *op);
/* Appends all counters as a JSON object; `open` connections are among them. */
void sim_stats_json(const sim_stats *s, uint32_t open, wm_buffer *out);
/* Appends the members "total", "ids" and "keys". */
void sim_stats_received_json(const sim_stats *s, wm_buffer *out);
/* Appends the members "total" and "arrivals": [key, millis, counter, writer, session,
 * foreign, refused] of each, in the order of their arrival. */
void sim_stats_arrivals_json(const sim_stats *s, wm_buffer *out);
#endif
