/* Adding, removing and losing nodes. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"

int wm_client_add_node(wm_client *c, const char *url, const char *shown_url)
{
    int node_index = wm_node_pool_add(c->pool, url, shown_url);
    if (node_index < 0) return node_index;
    uint32_t connections = wm_node_pool_connections(c->pool);
    wm_node_stats *stats = realloc(c->figures.node_stats, wm_node_pool_count(c->pool) * sizeof *stats);
    if (stats == NULL) return WM_ENOMEM;
    c->figures.node_stats = stats;
    stats[node_index] = (wm_node_stats){0};
    wm_client_connection *all = realloc(c->connections.all, connections * sizeof *all);
    if (all == NULL) return WM_ENOMEM;
    c->connections.all = all;
    memset(all + c->connections.count, 0, (connections - c->connections.count) * sizeof *all);
    for (uint32_t i = 0; i <= wm_node_pool_per_node(c->pool); i++) { /* a removed node may have had the index */
        wm_client_connection *state = &all[wm_node_pool_connection_of(c->pool, node_index, i)];
        free(state->refusals);
        *state = (wm_client_connection){0};
    }
    c->connections.count = connections;
    if (wm_batcher_set_connections(c->batcher, connections) < 0) return WM_ENOMEM;
    if (c->figures.metrics != NULL && wm_client_measure(c, c->figures.metrics) < 0) return WM_ENOMEM;
    return node_index;
}

static bool is_ready(const wm_client *c, int node_index)
{
    for (uint32_t i = 0; i < wm_node_pool_per_node(c->pool); i++)
        if (wm_node_pool_connection(c->pool, wm_node_pool_connection_of(c->pool, node_index, i)).state == WM_CONNECTION_READY) return true;
    return false;
}

static bool is_named(const wm_client *c, const char *id)
{
    int held = wm_map_chooser_map_source(c->chooser), count = (int)wm_node_pool_count(c->pool);
    for (int node_index = 0; node_index < count; node_index++) {
        const wm_partition_map *map = wm_map_chooser_map_of(c->chooser, node_index);
        if (map == NULL || (node_index != held && !is_ready(c, node_index))) continue;
        if (wm_partition_map_find_node(map, id) != WM_MAP_NO_NODE) return true;
    }
    return false;
}

/* Whether a connection, a route or an operation still uses the node index. */
static bool is_in_use(const wm_client *c, int node_index)
{
    for (uint32_t i = 0; i <= wm_node_pool_per_node(c->pool); i++) { /* the listening one is the last */
        int connection = wm_node_pool_connection_of(c->pool, node_index, i);
        wm_connection_load load = wm_batcher_load(c->batcher, connection);
        if (wm_node_pool_connection(c->pool, connection).state != WM_CONNECTION_IDLE) return true;
        if (load.pending_ops != 0 || load.in_flight_batches != 0) return true;
    }
    for (uint32_t p = 0; p < c->routes.count; p++)
        if (c->routes.all[p].node_index == node_index) return true;
    return false;
}

int wm_client_forget_node(wm_client *c, int node_index)
{
    const char *id = wm_node_pool_id(c->pool, node_index);
    if (is_in_use(c, node_index) || (id[0] != 0 && is_named(c, id))) return WM_EINVAL;
    if (wm_map_chooser_forget(c->chooser, node_index) < 0) return WM_EINVAL;
    for (uint32_t p = 0; p < c->routes.count; p++) /* the next node of this index is another one */
        if (c->routes.all[p].home == node_index) c->routes.all[p].home = -1;
    wm_node_pool_remove(c->pool, node_index);
    return WM_OK;
}
