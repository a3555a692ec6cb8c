#ifndef SIM_STATS_H
#define SIM_STATS_H
#include "base/buffer.h"
#include "sim/wire/operation.h"

/* The counters of a node, since the simulator started or since the command reset-stats. A restart
 * of the node keeps them. */

/* How many of the last map requests, batch sizes and operations are kept. */

#define SIM_KEPT_REQUESTS 100
#define SIM_KEPT_SIZES 1000
#define SIM_KEPT_OPS 100000

typedef struct sim_map_request {
    uint64_t at_ms;           /* Unix milliseconds */
    uint64_t current_version; /* the map version that the client has */
} sim_map_request;

/* An operation as it arrived, in OP_BATCH or CLIENT_OP. */
typedef struct sim_arrival {
    sim_span id;
    sim_span key;
    sim_span writer;  /* with millis and counter: the timestamp */
    uint64_t millis;  /* Unix milliseconds */
    uint64_t counter; /* of the hybrid logical clock */
    uint64_t session; /* its number */
    bool foreign;     /* its partition belonged to another node */
    bool refused;     /* its batch was refused by a fault (error or poison), and not applied */
} sim_arrival;

/* A kept operation; its spans point into `text`. */
typedef struct sim_received {
    sim_arrival op;
    char *text; /* id, key and writer, one after the other */
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
    uint64_t overloads;      /* batches that were refused because the node was full */
    uint64_t events_dropped; /* without a word */
    uint64_t sync_inits;
    uint64_t bucket_requests; /* MERKLE_REQ_BUCKET */
    uint64_t received_count;
    sim_map_request requests[SIM_KEPT_REQUESTS]; /* a ring: number map_requests - 1 is the last */
    uint32_t sizes[SIM_KEPT_SIZES];              /* a ring, by op_batches: operations of each batch */
    sim_received *received;                      /* a ring of SIM_KEPT_OPS, by received_count; NULL when empty */
} sim_stats;

/* Frees what is kept, and sets all counters to 0. */
void sim_stats_reset(sim_stats *s);
/* Counts and keeps a PARTITION_MAP_REQUEST. */
void sim_stats_map_request(sim_stats *s, uint64_t at_ms, uint64_t current_version);
/* Counts and keeps an OP_BATCH of `size` operations. */
void sim_stats_batch(sim_stats *s, uint32_t size);
/* Counts and keeps an operation; copies its texts. */
void sim_stats_received(sim_stats *s, const sim_arrival *op);
/* Appends all counters as a JSON object; `open` is the number of open sessions. */
void sim_stats_json(const sim_stats *s, uint32_t open, wm_buffer *out);
/* Appends the JSON members "total", and "ids" and "keys" of the kept operations, oldest first. */
void sim_stats_received_json(const sim_stats *s, wm_buffer *out);
/* Appends the JSON members "total" and "arrivals": [key, millis, counter, writer, session,
 * foreign, refused] of each kept operation, oldest first. */
void sim_stats_arrivals_json(const sim_stats *s, wm_buffer *out);
#endif
