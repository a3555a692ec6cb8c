#include "client/parts/op_metrics.h"

#include <stdlib.h>

#include "base/status.h"

/* Times are kept up to an hour. */
#define TIME_MAX_US 3600000000u
#define DIGITS 3

typedef struct tag_metrics {
    /* Latencies by the node that acknowledged: an operation is counted once, and what is
     * asked for (all of a tag, all of a node, all since the last time) is their sum. By
     * node_index + 1, as 0 is a node that is not known; NULL where nothing was counted yet. */
    wm_histogram **latencies;
    wm_histogram *queue, *send, *ack;
    uint64_t recorded;
    uint64_t acked;
} tag_metrics;

struct wm_op_metrics {
    wm_op_context context;
    tag_metrics tags[WM_OP_TAGS_MAX + 1]; /* 0 is never filled */
    uint32_t tag_count;
    uint32_t node_count;
    wm_partition_figures *partitions;
    uint32_t partition_count;
    wm_histogram *reported; /* latencies that wm_op_metrics_take_interval has added up to its last call */
    wm_histogram *all;      /* those of now, while it is at work */
    wm_connection_times connections;
};

static wm_histogram *new_times(void)
{
    return wm_histogram_new(TIME_MAX_US, DIGITS);
}

static void free_tag(tag_metrics *t, uint32_t nodes)
{
    for (uint32_t i = 0; t->latencies != NULL && i <= nodes; i++) wm_histogram_free(t->latencies[i]);
    free(t->latencies);
    wm_histogram_free(t->queue);
    wm_histogram_free(t->send);
    wm_histogram_free(t->ack);
}

void wm_op_metrics_free(wm_op_metrics *m)
{
    if (m == NULL) return;
    for (uint32_t i = 1; i <= m->tag_count; i++) free_tag(&m->tags[i], m->node_count);
    wm_histogram_free(m->reported);
    wm_histogram_free(m->all);
    wm_histogram_free(m->connections.connect);
    wm_histogram_free(m->connections.tls);
    wm_histogram_free(m->connections.auth);
    wm_histogram_free(m->connections.heartbeat);
    free(m->partitions);
    free(m);
}

wm_op_metrics *wm_op_metrics_new(void)
{
    wm_op_metrics *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->reported = new_times();
    m->all = new_times();
    m->connections = (wm_connection_times){new_times(), new_times(), new_times(), new_times()};
    const wm_connection_times *c = &m->connections;
    if (m->reported && m->all && c->connect && c->tls && c->auth && c->heartbeat) return m;
    wm_op_metrics_free(m);
    return NULL;
}

wm_op_context *wm_op_metrics_context(wm_op_metrics *m)
{
    return &m->context;
}

int wm_op_metrics_add_tag(wm_op_metrics *m)
{
    if (m->tag_count == WM_OP_TAGS_MAX) return WM_EFULL;
    tag_metrics t = {
        .latencies = calloc(m->node_count + 1, sizeof *t.latencies),
        .queue = new_times(),
        .send = new_times(),
        .ack = new_times(),
    };
    if (t.latencies == NULL || t.queue == NULL || t.send == NULL || t.ack == NULL) {
        free_tag(&t, m->node_count);
        return WM_ENOMEM;
    }
    m->tags[++m->tag_count] = t;
    return (int)m->tag_count;
}

uint32_t wm_op_metrics_tags(const wm_op_metrics *m)
{
    return m->tag_count;
}

static int add_nodes(wm_op_metrics *m, uint32_t count)
{
    if (count <= m->node_count) return WM_OK;
    for (uint32_t i = 1; i <= m->tag_count; i++) {
        tag_metrics *t = &m->tags[i];
        wm_histogram **grown = realloc(t->latencies, (count + 1) * sizeof *grown);
        if (grown == NULL) return WM_ENOMEM;
        t->latencies = grown;
        for (uint32_t node_index = m->node_count; node_index < count; node_index++) grown[node_index + 1] = NULL;
    }
    m->node_count = count;
    return WM_OK;
}

static int add_partitions(wm_op_metrics *m, uint32_t count)
{
    if (count <= m->partition_count) return WM_OK;
    wm_partition_figures *grown = realloc(m->partitions, count * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    m->partitions = grown;
    while (m->partition_count < count) grown[m->partition_count++] = (wm_partition_figures){.node_index = -1};
    return WM_OK;
}

int wm_op_metrics_size(wm_op_metrics *m, uint32_t nodes, uint32_t partitions)
{
    int result = add_nodes(m, nodes);
    return result < 0 ? result : add_partitions(m, partitions);
}

void wm_op_metrics_recorded(wm_op_metrics *m, wm_op *op)
{
    const wm_op_context *now = &m->context;
    uint32_t tag = now->tag <= m->tag_count ? now->tag : 0;
    uint64_t late = now->late_us;
    if (now->since_us != 0 && op->recorded_us > now->since_us) late += op->recorded_us - now->since_us;
    op->tag = (uint16_t)tag;
    op->late_us = late < UINT32_MAX ? (uint32_t)late : UINT32_MAX;
    m->tags[tag].recorded++;
}

/* Monotonic times of one machine; 0 in place of what would be negative. */
static uint64_t between(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? to_us - from_us : 0;
}

/* What all operations of the batch that have this tag share. */
static void count_shared(tag_metrics *t, uint64_t count, const wm_batch_times *times, uint64_t now_us)
{
    t->acked += count;
    wm_histogram_record_n(t->send, between(times->cut_us, times->written_us), count);
    wm_histogram_record_n(t->ack, between(times->written_us, now_us), count);
}

/* Where a tag's latencies of a node are counted; NULL when out of memory. */
static wm_histogram *latencies_of(tag_metrics *t, uint32_t node)
{
    if (t->latencies[node] == NULL) t->latencies[node] = new_times();
    return t->latencies[node];
}

void wm_op_metrics_acked(wm_op_metrics *m, wm_oplog *log, const uint32_t *ops, uint32_t count, int node_index,
                         const wm_batch_times *times, uint64_t now_us)
{
    uint32_t node = node_index >= 0 && (uint32_t)node_index < m->node_count ? (uint32_t)node_index + 1 : 0;
    wm_histogram *latencies = NULL;
    uint32_t tag = 0, in_row = 0; /* operations with that tag that are not counted as shared yet */
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i] == WM_NO_OP) continue;
        const wm_op *op = wm_oplog_at(log, ops[i]);
        if (op->tag == 0) continue;
        if (op->tag != tag) {
            if (in_row > 0) count_shared(&m->tags[tag], in_row, times, now_us);
            tag = op->tag;
            in_row = 0;
            latencies = latencies_of(&m->tags[tag], node);
        }
        in_row++;
        uint64_t latency = between(op->recorded_us, now_us) + op->late_us;
        if (latencies != NULL) wm_histogram_record(latencies, latency);
        wm_histogram_record(m->tags[tag].queue, between(op->recorded_us, times->cut_us));
        if (op->partition >= m->partition_count) continue;
        wm_partition_figures *p = &m->partitions[op->partition];
        p->ops++;
        p->latency_us += latency;
        p->node_index = node_index;
    }
    if (in_row > 0) count_shared(&m->tags[tag], in_row, times, now_us);
}

static void merge_latencies(const wm_op_metrics *m, const tag_metrics *t, wm_histogram *into)
{
    for (uint32_t node = 0; node <= m->node_count; node++)
        if (t->latencies[node] != NULL) wm_histogram_merge(into, t->latencies[node]);
}

void wm_op_metrics_merge_part(const wm_op_metrics *m, uint32_t tag, wm_op_part part, wm_histogram *into)
{
    const tag_metrics *t = &m->tags[tag];
    switch (part) {
    case WM_PART_LATENCY: merge_latencies(m, t, into); break;
    case WM_PART_QUEUE: wm_histogram_merge(into, t->queue); break;
    case WM_PART_SEND: wm_histogram_merge(into, t->send); break;
    case WM_PART_ACK: wm_histogram_merge(into, t->ack); break;
    case WM_OP_PARTS_COUNT: break;
    }
}

void wm_op_metrics_merge_node(const wm_op_metrics *m, uint32_t node_index, wm_histogram *into)
{
    if (node_index >= m->node_count) return;
    for (uint32_t i = 1; i <= m->tag_count; i++)
        if (m->tags[i].latencies[node_index + 1] != NULL) wm_histogram_merge(into, m->tags[i].latencies[node_index + 1]);
}

void wm_op_metrics_take_interval(wm_op_metrics *m, wm_histogram *into)
{
    wm_histogram *all = m->all;
    wm_histogram_reset(all);
    for (uint32_t i = 1; i <= m->tag_count; i++) merge_latencies(m, &m->tags[i], all);
    wm_histogram_merge_since(into, all, m->reported);
    m->all = m->reported;
    m->reported = all;
}

wm_connection_times wm_op_metrics_connections(const wm_op_metrics *m)
{
    return m->connections;
}

uint32_t wm_op_metrics_partitions(const wm_op_metrics *m)
{
    return m->partition_count;
}

const wm_partition_figures *wm_op_metrics_partition(const wm_op_metrics *m, uint32_t partition)
{
    return &m->partitions[partition];
}

uint64_t wm_op_metrics_recorded_count(const wm_op_metrics *m, uint32_t tag)
{
    return m->tags[tag].recorded;
}

uint64_t wm_op_metrics_acked_count(const wm_op_metrics *m, uint32_t tag)
{
    return m->tags[tag].acked;
}
