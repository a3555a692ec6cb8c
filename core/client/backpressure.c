/* Back-pressure: how full the op log is, what one node may fill of it, and what a full log drops. */
#include <limits.h>

#include "base/status.h"
#include "client/state.h"

/* The connections that share what waits for the node of a partition; what has no route counts
 * together, as if it were one node's. */
static void connections_of_node(const wm_client *c, uint32_t partition, int *first, int *last)
{
    *first = *last = c->routes.all[partition].connection;
    if (*first == WM_NO_CONNECTION || *first == c->foreign_connection) return;
    uint32_t per_node = wm_node_pool_per_node(c->pool);
    int node_index = wm_node_pool_node_of(c->pool, *first);
    *first = wm_node_pool_connection_of(c->pool, node_index, 0);
    *last = wm_node_pool_connection_of(c->pool, node_index, per_node - 1);
}

static double share_of_node(const wm_client *c, uint64_t ops, uint64_t bytes)
{
    double by_ops = (double)ops / c->backpressure.node_ops, by_bytes = (double)bytes / (double)c->backpressure.node_bytes;
    return by_ops > by_bytes ? by_ops : by_bytes;
}

static uint64_t without(uint64_t all, uint64_t part)
{
    return all > part ? all - part : 0;
}

/* The fill of the share of the log that the node of a partition has; 1: full. `sent`: the part of it
 * that is in flight. `newest` (NULL: none) is a pending operation that does not count. */
static double node_fill(const wm_client *c, uint32_t partition, const wm_op *newest, double *sent)
{
    int first, last;
    uint64_t less_ops = newest != NULL, less_bytes = newest != NULL ? newest->len : 0;
    connections_of_node(c, partition, &first, &last);
    *sent = 0;
    if (first == WM_NO_CONNECTION)
        return share_of_node(c, without(wm_batcher_held(c->batcher), less_ops),
                             without(wm_batcher_held_bytes(c->batcher), less_bytes));
    uint64_t ops = 0, bytes = 0, sent_ops = 0, sent_bytes = 0;
    for (int connection = first; connection <= last; connection++) {
        wm_connection_load load = wm_batcher_load(c->batcher, connection);
        ops += load.pending_ops;
        bytes += load.pending_bytes;
        sent_ops += load.in_flight_ops;
        sent_bytes += load.in_flight_bytes;
    }
    *sent = share_of_node(c, sent_ops, sent_bytes);
    return share_of_node(c, without(ops + sent_ops, less_ops), without(bytes + sent_bytes, less_bytes));
}

static bool is_node_full(const wm_client *c, uint32_t partition, const wm_op *newest, double *sent)
{
    if (wm_oplog_count(c->log) < c->backpressure.node_ops && wm_oplog_bytes(c->log) < c->backpressure.node_bytes) return false;
    if (wm_node_pool_count(c->pool) < 2 || wm_map_chooser_map(c->chooser) == NULL) return false;
    return node_fill(c, partition, newest, sent) >= 1;
}

bool wm_client_is_node_full(const wm_client *c, uint32_t partition)
{
    double sent;
    return is_node_full(c, partition, NULL, &sent);
}

void wm_client_check_watermarks(wm_client *c)
{
    double sent;
    int64_t full = c->backpressure.full_partition;
    if (full >= 0 && node_fill(c, (uint32_t)full, NULL, &sent) <= c->backpressure.low_share) {
        c->backpressure.full_partition = -1;
        wm_client_event(c, (wm_event){.type = WM_EVENT_NODE_BELOW_SHARE}, NULL, 0);
    }
    double ops = wm_oplog_count(c->log), bytes = (double)wm_oplog_bytes(c->log);
    const wm_watermark *high = &c->backpressure.high, *low = &c->backpressure.low;
    if (!c->backpressure.is_above_high && (ops >= high->ops || bytes >= high->bytes)) {
        c->backpressure.is_above_high = true;
        wm_client_event(c, (wm_event){.type = WM_EVENT_HIGH_WATERMARK, .a = wm_oplog_count(c->log)}, NULL, 0);
    } else if (c->backpressure.is_above_high && ops <= low->ops && bytes <= low->bytes) {
        c->backpressure.is_above_high = false;
        wm_client_event(c, (wm_event){.type = WM_EVENT_LOW_WATERMARK, .a = wm_oplog_count(c->log)}, NULL, 0);
    }
}

/* Whether an older operation can be displaced for one more where the log is full: what was
 * sent, or is set aside, is not dropped, and no number of dropped operations makes a disk
 * writable. */
static bool can_displace(const wm_client *c)
{
    size_t bytes;
    if (!wm_oplog_is_full(c->log)) return true;
    if (wm_oplog_error(c->log)->problem != WM_LOG_NONE) return false;
    uint32_t ops = wm_batcher_undroppable(c->batcher, &bytes);
    return !wm_oplog_would_fill(c->log, ops, bytes);
}

int wm_client_check_backpressure(wm_client *c, uint32_t partition)
{
    double sent = 0;
    if (c->writer.drop_oldest ? !can_displace(c) : wm_oplog_is_full(c->log)) return WM_EFULL;
    if (!is_node_full(c, partition, NULL, &sent) || (c->writer.drop_oldest && sent < 1)) return WM_OK;
    c->backpressure.full_partition = partition;
    return WM_ENODE;
}

/* False when nothing but the newest operation may be dropped of these connections. */
static bool drop_oldest(wm_client *c, int first, int last, uint32_t newest)
{
    wm_client_catch_up(c); /* an operation is settled once it is known what follows it */
    uint32_t index = wm_batcher_oldest_pending(c->batcher, first, last);
    if (index == WM_NO_OP || index == newest) return false;
    const wm_op *op = wm_oplog_at(c->log, index);
    wm_batcher_remove_pending(c->batcher, index);
    wm_client_event(c, (wm_event){.type = WM_EVENT_OP_DROPPED, .a = (int64_t)op->seq}, wm_op_key(op),
                    op->key_len);
    c->figures.stats.ops_dropped++;
    wm_client_settle_not_stored(c, index, WM_RECORD_DROPPED);
    return true;
}

/* Whether the log was full before `op` came. */
static bool was_full(const wm_client *c, const wm_op *op)
{
    return wm_oplog_would_fill(c->log, wm_oplog_count(c->log) - 1, wm_oplog_bytes(c->log) - op->len);
}

void wm_client_displace(wm_client *c, uint32_t newest)
{
    int first, last;
    double sent;
    const wm_op *op = wm_oplog_at(c->log, newest);
    connections_of_node(c, op->partition, &first, &last);
    while (is_node_full(c, op->partition, op, &sent) && drop_oldest(c, first, last, newest)) {
    }
    while (was_full(c, op) && drop_oldest(c, WM_NO_CONNECTION, INT_MAX, newest)) {
    }
}

uint32_t wm_client_in_flight(const wm_client *c)
{
    size_t bytes;
    return wm_batcher_in_flight(c->batcher, &bytes);
}
