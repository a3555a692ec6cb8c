/* What others may read of a client, and measure. */
#include "client/state.h"

int wm_client_measure(wm_client *c, wm_op_metrics *m)
{
    c->figures.metrics = m;
    wm_node_pool_measure(c->pool, wm_op_metrics_connections(m));
    return wm_op_metrics_size(m, wm_node_pool_count(c->pool), c->routes.count);
}

wm_node_pool *wm_client_pool(wm_client *c)
{
    return c->pool;
}

wm_map_chooser *wm_client_map_chooser(wm_client *c)
{
    return c->chooser;
}

wm_batcher *wm_client_batcher(wm_client *c)
{
    return c->batcher;
}

wm_oplog *wm_client_oplog(wm_client *c)
{
    return c->log;
}

wm_event_queue *wm_client_events(wm_client *c)
{
    return &c->events;
}

const wm_client_stats *wm_client_stats_of(const wm_client *c)
{
    return &c->figures.stats;
}

const wm_node_stats *wm_client_node_stats(const wm_client *c, int node_index)
{
    return &c->figures.node_stats[node_index];
}

const wm_histogram *wm_client_ack_latency(const wm_client *c)
{
    return c->figures.ack_latency;
}

const wm_histogram *wm_client_batch_sizes(const wm_client *c)
{
    return c->figures.batch_sizes;
}

void wm_client_forget_batch_sizes(wm_client *c)
{
    wm_histogram_reset(c->figures.batch_sizes);
}
