#ifndef WM_OP_METRICS_H
#define WM_OP_METRICS_H
#include "net/node_pool.h"
#include "oplog/batcher.h"
#include "oplog/oplog.h"

/* What a load test measures of every operation: how long it took, by its parts, by
 * what it belonged to (a tag, say a scenario), by node and by partition; and
 * how long connections took. Clients that belong to one test share it. Recording allocates
 * nothing, but for the first acknowledgement of a tag's operations from a node.
 * Single-threaded. */
typedef struct wm_op_metrics wm_op_metrics;

/* X(NAME, "metric name"): the parts of an operation's time, in microseconds. */
#define WM_OP_PARTS(X)                                                                       \
    X(LATENCY, "op_latency") /* from when it was meant to be recorded to its acknowledgement */ \
    X(QUEUE, "op_queue")     /* from the record to its place in a batch */                   \
    X(SEND, "op_send")       /* from there until the socket has taken the batch */           \
    X(ACK, "op_ack")         /* from there to the acknowledgement */

typedef enum wm_op_part {
#define X(name, key) WM_PART_##name,
    WM_OP_PARTS(X)
#undef X
    WM_OP_PARTS_COUNT,
} wm_op_part;

/* The largest number of tags; 0 is the tag of what belongs to no test. */
#define WM_OP_TAGS_MAX 256u

/* What operations that are recorded now belong to. Written by the script through the
 * FFI, before it goes on with a virtual user. */
typedef struct wm_op_context {
    uint64_t since_us; /* a record that had to wait for room began then; 0: now */
    uint32_t late_us;  /* how late the iteration began: its operations were meant so much earlier */
    uint32_t tag;
} wm_op_context;

/* NULL when out of memory. */
wm_op_metrics *wm_op_metrics_new(void);
void wm_op_metrics_free(wm_op_metrics *m);
wm_op_context *wm_op_metrics_context(wm_op_metrics *m);
/* A new tag, from 1; WM_EFULL above WM_OP_TAGS_MAX, WM_ENOMEM. */
int wm_op_metrics_add_tag(wm_op_metrics *m);
uint32_t wm_op_metrics_tags(const wm_op_metrics *m);
/* Makes room for node slots 0 .. nodes-1 and for partitions. WM_OK or WM_ENOMEM. */
int wm_op_metrics_size(wm_op_metrics *m, uint32_t nodes, uint32_t partitions);

/* Marks an operation that is being recorded. */
void wm_op_metrics_recorded(wm_op_metrics *m, wm_op *op);
/* Counts those of an acknowledged batch (WM_NO_OP among them is passed over), which the
 * node in `slot` answered now. */
void wm_op_metrics_acked(wm_op_metrics *m, wm_oplog *log, const uint32_t *ops, uint32_t count, int slot,
                         const wm_batch_times *times, uint64_t now_us);

/* Add to `into` what was measured since the start: a part of the times of a tag (1 to
 * wm_op_metrics_tags); the latencies of a node, nothing for one that there is not. */
void wm_op_metrics_merge_part(const wm_op_metrics *m, uint32_t tag, wm_op_part part, wm_histogram *into);
void wm_op_metrics_merge_node(const wm_op_metrics *m, uint32_t slot, wm_histogram *into);
/* Adds the latencies since it was last called, to one part in 1000. */
void wm_op_metrics_take_interval(wm_op_metrics *m, wm_histogram *into);
wm_connection_times wm_op_metrics_connections(const wm_op_metrics *m);
typedef struct wm_partition_figures {
    uint64_t ops;         /* acknowledged */
    uint64_t latency_us;  /* their sum */
    int32_t slot;         /* of the node that acknowledged last; -1: none */
} wm_partition_figures;
uint32_t wm_op_metrics_partitions(const wm_op_metrics *m);
const wm_partition_figures *wm_op_metrics_partition(const wm_op_metrics *m, uint32_t partition);
/* Operations of a tag that were recorded and acknowledged. */
uint64_t wm_op_metrics_recorded_count(const wm_op_metrics *m, uint32_t tag);
uint64_t wm_op_metrics_acked_count(const wm_op_metrics *m, uint32_t tag);
#endif
