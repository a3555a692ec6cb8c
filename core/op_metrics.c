#include "op_metrics.h"

#include <stdlib.h>

#include "status.h"

/* Times are kept up to an hour. */
#define TIME_MAX_US 3600000000u
#define DIGITS 3
#define INTERVAL_DIGITS 2

typedef struct tag_metrics {
    wm_histogram *parts[WM_OP_PARTS_COUNT];
    uint64_t recorded;
    uint64_t acked;
} tag_metrics;

struct wm_op_metrics {
    wm_op_context context;
    tag_metrics tags[WM_OP_TAGS_MAX + 1]; /* 0 is never filled */
    uint32_t tag_count;
    wm_histogram **nodes; /* by slot */
    uint32_t node_count;
    wm_partition_figures *partitions;
    uint32_t partition_count;
    wm_histogram *interval;
    wm_connection_times connections;
};

static void free_tag(tag_metrics *t)
{
    for (int i = 0; i < WM_OP_PARTS_COUNT; i++) wm_histogram_free(t->parts[i]);
}

void wm_op_metrics_free(wm_op_metrics *m)
{
    if (m == NULL) return;
    for (uint32_t i = 1; i <= m->tag_count; i++) free_tag(&m->tags[i]);
    for (uint32_t i = 0; i < m->node_count; i++) wm_histogram_free(m->nodes[i]);
    wm_histogram_free(m->interval);
    wm_histogram_free(m->connections.connect);
    wm_histogram_free(m->connections.tls);
    wm_histogram_free(m->connections.auth);
    wm_histogram_free(m->connections.heartbeat);
    free(m->nodes);
    free(m->partitions);
    free(m);
}

wm_op_metrics *wm_op_metrics_new(void)
{
    wm_op_metrics *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->interval = wm_histogram_new(TIME_MAX_US, INTERVAL_DIGITS);
    m->connections = (wm_connection_times){
        .connect = wm_histogram_new(TIME_MAX_US, DIGITS),
        .tls = wm_histogram_new(TIME_MAX_US, DIGITS),
        .auth = wm_histogram_new(TIME_MAX_US, DIGITS),
        .heartbeat = wm_histogram_new(TIME_MAX_US, DIGITS),
    };
    const wm_connection_times *c = &m->connections;
    if (m->interval && c->connect && c->tls && c->auth && c->heartbeat) return m;
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
    tag_metrics t = {0};
    for (int i = 0; i < WM_OP_PARTS_COUNT; i++) {
        t.parts[i] = wm_histogram_new(TIME_MAX_US, DIGITS);
        if (t.parts[i] == NULL) {
            free_tag(&t);
            return WM_ENOMEM;
        }
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
    wm_histogram **grown = realloc(m->nodes, count * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    m->nodes = grown;
    while (m->node_count < count) {
        wm_histogram *h = wm_histogram_new(TIME_MAX_US, DIGITS);
        if (h == NULL) return WM_ENOMEM;
        grown[m->node_count++] = h;
    }
    return WM_OK;
}

static int add_partitions(wm_op_metrics *m, uint32_t count)
{
    if (count <= m->partition_count) return WM_OK;
    wm_partition_figures *grown = realloc(m->partitions, count * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    m->partitions = grown;
    while (m->partition_count < count) grown[m->partition_count++] = (wm_partition_figures){.slot = -1};
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
    wm_histogram_record_n(t->parts[WM_PART_SEND], between(times->cut_us, times->written_us), count);
    wm_histogram_record_n(t->parts[WM_PART_ACK], between(times->written_us, now_us), count);
}

void wm_op_metrics_acked(wm_op_metrics *m, wm_oplog *log, const uint32_t *ops, uint32_t count, int slot,
                         const wm_batch_times *times, uint64_t now_us)
{
    wm_histogram *node = slot >= 0 && (uint32_t)slot < m->node_count ? m->nodes[slot] : NULL;
    uint32_t tag = 0, in_row = 0; /* operations with that tag that are not counted as shared yet */
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i] == WM_NO_OP) continue;
        const wm_op *op = wm_oplog_at(log, ops[i]);
        if (op->tag == 0) continue;
        if (op->tag != tag) {
            if (in_row > 0) count_shared(&m->tags[tag], in_row, times, now_us);
            tag = op->tag;
            in_row = 0;
        }
        in_row++;
        uint64_t latency = between(op->recorded_us, now_us) + op->late_us;
        wm_histogram_record(m->tags[tag].parts[WM_PART_LATENCY], latency);
        wm_histogram_record(m->tags[tag].parts[WM_PART_QUEUE], between(op->recorded_us, times->cut_us));
        wm_histogram_record(m->interval, latency);
        if (node != NULL) wm_histogram_record(node, latency);
        if (op->partition >= m->partition_count) continue;
        wm_partition_figures *p = &m->partitions[op->partition];
        p->ops++;
        p->latency_us += latency;
        p->slot = slot;
    }
    if (in_row > 0) count_shared(&m->tags[tag], in_row, times, now_us);
}

const wm_histogram *wm_op_metrics_part(const wm_op_metrics *m, uint32_t tag, wm_op_part part)
{
    return tag >= 1 && tag <= m->tag_count ? m->tags[tag].parts[part] : NULL;
}

const wm_histogram *wm_op_metrics_node(const wm_op_metrics *m, uint32_t slot)
{
    return slot < m->node_count ? m->nodes[slot] : NULL;
}

wm_connection_times wm_op_metrics_connections(const wm_op_metrics *m)
{
    return m->connections;
}

wm_histogram *wm_op_metrics_interval(wm_op_metrics *m)
{
    return m->interval;
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
