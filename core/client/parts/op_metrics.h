#ifndef WM_OP_METRICS_H
#define WM_OP_METRICS_H
#include "net/node_pool.h"
#include "oplog/batcher.h"
#include "oplog/oplog.h"

/* The measurements of a load test: how long operations took, in all and by parts, by tag (a scenario,
 * say), by node and by partition; and how long connecting took. All clients of one test share it.
 * Recording allocates nothing but at the first acknowledgement of a tag's operations by a node.
 * Single-threaded. */
typedef struct wm_op_metrics wm_op_metrics;

/* X(NAME, "metric name"): the parts of an operation's time, in microseconds. */
#define WM_OP_PARTS(X)                                                                                     \
    X(LATENCY, "op_latency") /* from the time at which it was due to be recorded to its acknowledgement */ \
    X(QUEUE, "op_queue")     /* from recording until it joins a batch */                                   \
    X(SEND, "op_send")       /* from then until the socket has accepted the batch */                       \
    X(ACK, "op_ack")         /* from then to the acknowledgement */

typedef enum wm_op_part {
#define X(name, key) WM_PART_##name,
    WM_OP_PARTS(X)
#undef X
        WM_OP_PARTS_COUNT,
} wm_op_part;

/* The largest tag. 0 is the tag of operations outside of a test. */
#define WM_OP_TAGS_MAX 256u

/* The context of the operations that are recorded now. The script writes it through the FFI before it
 * resumes a virtual user. */
typedef struct wm_op_context {
    uint64_t since_us; /* when a write began that back-pressure delayed; 0: now */
    uint32_t late_us;  /* the lateness of the iteration: its operations were due so much earlier */
    uint32_t tag;
} wm_op_context;

/* NULL when out of memory. */
wm_op_metrics *wm_op_metrics_new(void);
void wm_op_metrics_free(wm_op_metrics *m);
/* The context, for the caller to write; valid as long as `m`. */
wm_op_context *wm_op_metrics_context(wm_op_metrics *m);
/* A new tag, from 1; WM_EFULL above WM_OP_TAGS_MAX, WM_ENOMEM. */
int wm_op_metrics_add_tag(wm_op_metrics *m);
/* The number of tags; the highest one. */
uint32_t wm_op_metrics_tags(const wm_op_metrics *m);
/* Makes the nodes 0 .. nodes-1 and the partitions countable. WM_OK or WM_ENOMEM. */
int wm_op_metrics_size(wm_op_metrics *m, uint32_t nodes, uint32_t partitions);

/* Marks an operation that is being recorded. */
void wm_op_metrics_recorded(wm_op_metrics *m, wm_op *op);
/* Counts the operations of a batch that the node has acknowledged now; WM_NO_OP among them is
 * skipped. `node_index` -1: the node is not known. */
void wm_op_metrics_acked(wm_op_metrics *m, wm_oplog *log, const uint32_t *ops, uint32_t count, int node_index,
                         const wm_batch_times *times, uint64_t now_us);

/* Add to `into` what was measured since the start: one part of the times of a tag (1 to
 * wm_op_metrics_tags), or the latencies of a node (of an unknown node nothing). */
void wm_op_metrics_merge_part(const wm_op_metrics *m, uint32_t tag, wm_op_part part, wm_histogram *into);
void wm_op_metrics_merge_node(const wm_op_metrics *m, uint32_t node_index, wm_histogram *into);
/* Adds the latencies since its last call, with a resolution of one part in 1000. */
void wm_op_metrics_take_interval(wm_op_metrics *m, wm_histogram *into);
/* The histograms of connecting, for wm_node_pool_measure; `m` owns them. */
wm_connection_times wm_op_metrics_connections(const wm_op_metrics *m);
typedef struct wm_partition_figures {
    uint64_t ops;        /* acknowledged */
    uint64_t latency_us; /* their sum */
    int32_t node_index;  /* of the node that acknowledged last; -1: none */
} wm_partition_figures;
/* The number of partitions; and the figures of one below that, valid until the next wm_op_metrics_size. */
uint32_t wm_op_metrics_partitions(const wm_op_metrics *m);
const wm_partition_figures *wm_op_metrics_partition(const wm_op_metrics *m, uint32_t partition);
/* Operations of a tag that were recorded and acknowledged. */
uint64_t wm_op_metrics_recorded_count(const wm_op_metrics *m, uint32_t tag);
uint64_t wm_op_metrics_acked_count(const wm_op_metrics *m, uint32_t tag);
#endif
