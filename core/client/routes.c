/* Where the operations of each partition go: the routes that the script sets, the connections that
 * stand for them, and the map that says who owns what. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"

static bool is_usable(const wm_client *c, int connection)
{
    return c->connections.all[connection].usable && wm_node_pool_connection(c->pool, connection).state == WM_CONNECTION_READY;
}

static int connection_for(const wm_client *c, uint32_t partition)
{
    int node_index = c->routes.all[partition].node_index;
    if (node_index < 0 || c->unfinished.partitions != 0) return WM_NO_CONNECTION;
    uint32_t per_node = wm_node_pool_per_node(c->pool);
    int connection = wm_node_pool_connection_of(c->pool, node_index, partition % per_node);
    return is_usable(c, connection) ? connection : WM_NO_CONNECTION;
}

void wm_client_apply_routes(wm_client *c)
{
    for (uint32_t p = 0; p < c->routes.count; p++) wm_batcher_set_route(c->batcher, p, connection_for(c, p));
}

static void mark_owner(wm_client *c, uint32_t partition)
{
    const wm_partition_map *map = wm_map_chooser_map(c->chooser);
    wm_partition_route *route = &c->routes.all[partition];
    route->to_owner = false;
    if (route->node_index < 0) return;
    if (map == NULL) {
        route->to_owner = true; /* a single server owns everything */
        return;
    }
    if (partition >= map->partition_count) return;
    uint16_t owner = map->owners[partition];
    route->to_owner = owner != WM_MAP_NO_NODE && strcmp(map->nodes[owner].id, wm_node_pool_id(c->pool, route->node_index)) == 0;
}

/* The node that the partition went to before, when it goes to another one now; -1 else. */
static int set_route(wm_client *c, uint32_t partition, int node_index)
{
    wm_partition_route *route = &c->routes.all[partition];
    int from = route->home;
    /* From a node to another one: how long until it is acknowledged there? The
     * hold in between belongs to that time. */
    if (route->node_index >= 0 && route->moved_us == 0) route->moved_us = wm_now_us();
    route->moved_seq = wm_oplog_last_seq(c->log);
    route->node_index = node_index;
    if (node_index >= 0) route->home = node_index;
    return node_index >= 0 && node_index != from ? from : -1;
}

int wm_client_set_routes(wm_client *c, const int *node_indexes, int *from)
{
    int nodes = (int)wm_node_pool_count(c->pool);
    for (uint32_t p = 0; p < c->routes.count; p++)
        if (node_indexes[p] < WM_ROUTE_KEPT || node_indexes[p] >= nodes) return WM_EINVAL;
    for (uint32_t p = 0; p < c->routes.count; p++) {
        bool is_kept = node_indexes[p] == WM_ROUTE_KEPT || node_indexes[p] == c->routes.all[p].node_index;
        from[p] = is_kept ? -1 : set_route(c, p, node_indexes[p]);
        mark_owner(c, p);
    }
    c->routes.is_new = false;
    wm_client_apply_routes(c);
    return WM_OK;
}

const wm_route_table *wm_client_routes(const wm_client *c)
{
    return &c->routes;
}

static uint32_t partition_of(void *table, const char *key, size_t len)
{
    return wm_route_table_partition_of(table, key, len);
}

/* Gives every operation its partition anew; all are held then. WM_OK, or WM_ENOMEM and nothing
 * has changed. */
static int assign_anew(wm_client *c, uint32_t count)
{
    wm_route_table former = c->routes;
    if (!wm_route_table_init(&c->routes, former.hash, count)) return WM_ENOMEM;
    c->routes.changes = former.changes;
    int result = wm_batcher_repartition(c->batcher, partition_of, &c->routes);
    if (result < 0) {
        wm_route_table_close(&c->routes);
        c->routes = former;
        return result;
    }
    wm_route_table_close(&former);
    c->backpressure.full_partition = -1;
    if (c->figures.metrics != NULL) wm_client_measure(c, c->figures.metrics); /* out of memory: the rest is measured */
    return WM_OK;
}

/* Gives every operation its partition by the hash and the number of partitions that are valid
 * now. Out of memory: operations and routes are of two minds about what a partition is, and a
 * write that left now could be acknowledged and dropped by a node that does not own it. So all of
 * them are held until it can be done: wm_client_retry_routes. */
static int repartition(wm_client *c, uint32_t count)
{
    int result = assign_anew(c, count);
    c->unfinished.partitions = result < 0 ? count : 0;
    if (result < 0) wm_client_apply_routes(c);
    return result;
}

int wm_client_set_hash(wm_client *c, wm_hash_kind kind)
{
    if (c->routes.hash == kind) return WM_OK;
    bool same = kind == WM_HASH_FNV1A && c->routes.hash == WM_HASH_UNKNOWN; /* what unknown stood for */
    c->routes.hash = kind;
    return same ? WM_OK : repartition(c, c->routes.count);
}

uint32_t wm_client_partition_count(const wm_client *c)
{
    return c->routes.count;
}

uint32_t wm_client_partition_of(const wm_client *c, const char *key, size_t len)
{
    return wm_route_table_partition_of(&c->routes, key, len);
}

int wm_client_node_of_key(const wm_client *c, const char *key, size_t len)
{
    return c->routes.all[wm_client_partition_of(c, key, len)].node_index;
}

static bool has_usable_connection(const wm_client *c, uint32_t node_index)
{
    uint32_t per_node = wm_node_pool_per_node(c->pool);
    for (uint32_t k = 0; k < per_node; k++)
        if (is_usable(c, wm_node_pool_connection_of(c->pool, (int)node_index, k))) return true;
    return false;
}

/* Each node with its id, and whether it can be reached. A node that another URL reaches is not lost. */
static void list_nodes(const wm_client *c, wm_map_chooser_node *nodes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *id = wm_node_pool_id(c->pool, (int)i);
        wm_node_sight sight = id[0] == '\0' ? WM_NODE_UNSEEN : (has_usable_connection(c, i) ? WM_NODE_REACHABLE : WM_NODE_LOST);
        nodes[i] = (wm_map_chooser_node){id, sight};
    }
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < count && nodes[i].sight == WM_NODE_LOST; k++)
            if (k != i && nodes[k].sight != WM_NODE_UNSEEN && strcmp(nodes[k].id, nodes[i].id) == 0 &&
                (nodes[k].sight == WM_NODE_REACHABLE || k < i))
                nodes[i].sight = WM_NODE_UNSEEN;
}

/* False when out of memory. */
static bool choose(wm_client *c, bool *changed)
{
    uint32_t count = wm_node_pool_count(c->pool);
    wm_map_chooser_node *nodes = calloc(count + 1, sizeof *nodes);
    if (nodes == NULL) return false;
    list_nodes(c, nodes, count);
    *changed = wm_map_chooser_choose(c->chooser, nodes, count);
    free(nodes);
    return true;
}

/* The routes are those of the map that was chosen; false while there is no memory for them. */
static bool take_map(wm_client *c)
{
    uint32_t count = wm_map_chooser_map(c->chooser)->partition_count;
    bool is_as_before = count == c->routes.count && c->unfinished.partitions == 0;
    if (!is_as_before && repartition(c, count) < 0) return false;
    for (uint32_t p = 0; p < c->routes.count; p++) mark_owner(c, p);
    return true;
}

bool wm_client_choose_map(wm_client *c)
{
    bool changed = false;
    c->unfinished.has_to_choose = !choose(c, &changed);
    return changed && take_map(c);
}

void wm_client_retry_routes(wm_client *c)
{
    bool is_changed = false;
    if (c->unfinished.partitions != 0) is_changed = repartition(c, c->unfinished.partitions) == WM_OK;
    if (c->unfinished.has_to_choose && wm_client_choose_map(c)) is_changed = true;
    if (!is_changed) return;
    wm_event event = {.type = WM_EVENT_MAP, .connection = WM_NO_CONNECTION, .flag = wm_map_chooser_map(c->chooser) != NULL};
    if (event.flag) event.a = (int64_t)wm_map_chooser_version_of(c->chooser, wm_map_chooser_map_source(c->chooser));
    wm_client_event(c, event, NULL, 0);
}
