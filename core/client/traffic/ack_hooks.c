#include "client/traffic/ack_hooks.h"

#include "base/compiler.h"

/* An acknowledgement is late when it takes longer than this. */
#define LONG_WAIT_US 100000u

/* Calls wm_client_acked_late for a write that was recorded before its partition moved, or long before its
 * acknowledgement. v2 servers stamp records when they arrive, so an older write may have a later time than
 * this one has here; and a node may still send the event of the older one. */
static void keep_times_in_order(wm_client *c, const wm_op *op, int node_index, wm_partition_route *route)
{
    bool has_moved = node_index != route->node_index;
    bool has_waited = c->now_us - op->recorded_us > LONG_WAIT_US;
    if (has_moved) route->moved_seq = wm_oplog_last_seq(c->log);
    if (has_moved || has_waited) wm_client_note_indoubt(c, op);
    if (has_waited || op->seq <= route->moved_seq) wm_client_acked_late(c, op);
}

/* The first acknowledgement of a partition by the node that it moved to. */
static void report_resumed(wm_client *c, int connection, uint32_t partition, wm_partition_route *route)
{
    wm_event event = {
        .type = WM_EVENT_RESUMED,
        .connection = connection,
        .a = partition,
        .b = (int64_t)(c->now_us - route->moved_us),
    };
    route->moved_us = 0;
    wm_client_event(c, event, NULL, 0);
}

WM_HOT_PATH static void on_acked(void *user, int connection, const uint32_t *ops, uint32_t count, const wm_batch_times *times)
{
    wm_client *c = user;
    bool is_own = connection != c->foreign_connection;
    int node_index = is_own ? wm_node_pool_node_of(c->pool, connection) : -1;
    bool is_v2 = is_own && wm_node_pool_connection(c->pool, connection).dialect == WM_DIALECT_V2;
    uint64_t acked = 0, bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i] == WM_NO_OP) continue;
        const wm_op *op = wm_oplog_at(c->log, ops[i]);
        acked++;
        bytes += op->len;
        wm_histogram_record(c->figures.ack_latency, c->now_us - op->recorded_us);
        if (op->notify)
            wm_client_event(c, (wm_event){.type = WM_EVENT_OP_DONE, .connection = connection, .a = (int64_t)op->seq}, NULL, 0);
        if (!is_own) continue;
        if (c->replicas.count > 0) wm_client_replica_acked(c, node_index, op, ops[i]);
        wm_partition_route *route = &c->routes.all[op->partition];
        if (is_v2) keep_times_in_order(c, op, node_index, route);
        if (route->moved_us != 0 && node_index == route->node_index) report_resumed(c, connection, op->partition, route);
    }
    if (is_v2) wm_client_window_acked(c, connection, (uint32_t)acked, times->cut_us);
    if (c->membership.acks != NULL && is_own && !is_v2) wm_client_keep_acked(c, ops, count, times->cut_us);
    if (c->figures.metrics != NULL) wm_op_metrics_acked(c->figures.metrics, c->log, ops, count, node_index, times, c->now_us);
    c->figures.stats.ops_acked += acked;
    if (c->figures.node_stats == NULL || !is_own) return;
    c->figures.node_stats[node_index].ops_acked += acked;
    c->figures.node_stats[node_index].bytes_acked += bytes;
}

static void on_routed(void *user, int connection, const uint32_t *ops, uint32_t count)
{
    wm_client *c = user;
    if (connection == c->foreign_connection) return;
    uint64_t direct = 0;
    for (uint32_t i = 0; i < count; i++) direct += c->routes.all[wm_oplog_at(c->log, ops[i])->partition].to_owner;
    wm_routing_metrics *metrics = wm_map_chooser_metrics(c->chooser);
    metrics->direct_routes += direct;
    metrics->fallback_routes += count - direct;
    c->figures.node_stats[wm_node_pool_node_of(c->pool, connection)].ops_sent += count;
}

static void on_returned(void *user, int connection, uint32_t index)
{
    wm_client *c = user;
    const wm_op *op = wm_oplog_at(c->log, index);
    if (c->indoubt.is_losing_v2) wm_client_note_indoubt(c, op);
    if (op->tries != c->max_tries) return;
    wm_event event = {.type = WM_EVENT_OP_TRIES, .connection = connection, .a = (int64_t)op->seq, .b = op->tries};
    wm_client_event(c, event, wm_op_key(op), op->key_len);
}

wm_batcher_hooks wm_client_batcher_hooks(wm_client *c)
{
    return (wm_batcher_hooks){c, on_acked, on_routed, on_returned, wm_client_op_settles_out_of_order};
}
