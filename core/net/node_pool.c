#include "net/node_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* How often heartbeats and timeouts are looked at (ms). */
#define CHECK_MS 100
/* A loop that was not turned for this long proves nothing about its peers. */
#define STALL_US 1000000u

typedef struct node {
    char *shown_url;
    wm_url url;
    char *id;
    wm_node_connection **connections;
    bool is_there; /* it was not removed */
} node;

struct wm_node_pool {
    wm_node_connection_shared shared;
    uint32_t connections_per_node; /* with the listening one */
    node *nodes;
    uint32_t count;
    uv_timer_t *check; /* freed by its own close callback */
    uint64_t checked_us;
};

static wm_node_connection *connection_at(const wm_node_pool *pool, int id)
{
    uint32_t per_node = pool->connections_per_node;
    return pool->nodes[(uint32_t)id / per_node].connections[(uint32_t)id % per_node];
}

static void on_check(uv_timer_t *timer)
{
    wm_node_pool *pool = timer->data;
    uint64_t now = wm_now_us();
    uint64_t since = now - pool->checked_us;
    uint64_t stalled_us = since > STALL_US ? since : 0;
    pool->checked_us = now;
    uint32_t connections = wm_node_pool_connections(pool);
    for (uint32_t i = 0; i < connections; i++) wm_node_connection_check(connection_at(pool, (int)i), now, stalled_us);
}

/* What the sockets have beyond what was received waits there. */
static void read_later(void *user)
{
    wm_node_pool *pool = user;
    uint32_t connections = wm_node_pool_connections(pool);
    for (uint32_t i = 0; i < connections; i++) wm_node_connection_read_later(connection_at(pool, (int)i));
}

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

static void free_connections(const wm_node_pool *pool, wm_node_connection **connections)
{
    for (uint32_t i = 0; connections != NULL && i < pool->connections_per_node; i++) wm_node_connection_free(connections[i]);
    free(connections);
}

/* NULL when out of memory. */
static wm_node_connection **new_connections(const wm_node_pool *pool)
{
    uint32_t per_node = pool->connections_per_node;
    wm_node_connection **connections = calloc(per_node, sizeof *connections);
    bool made = connections != NULL;
    for (uint32_t i = 0; made && i < per_node; i++) {
        connections[i] = wm_node_connection_new(&pool->shared, (int)(pool->count * per_node + i));
        made = connections[i] != NULL;
    }
    if (made) return connections;
    free_connections(pool, connections);
    return NULL;
}

/* -- the pool --------------------------------------------------------------------------- */

wm_node_pool *wm_node_pool_new(wm_loop *loop, wm_transport *transport, wm_node_pool_options options,
                               wm_node_connection_events events, void *user)
{
    wm_node_pool *pool = calloc(1, sizeof *pool);
    uv_timer_t *check = calloc(1, sizeof *check);
    if (pool == NULL || check == NULL) {
        free(pool);
        free(check);
        return NULL;
    }
    *pool = (wm_node_pool){
        .shared = {loop, transport, options.connection, events, user, .late = read_later, .pool = pool},
        .connections_per_node = options.connections_per_node + 1,
        .check = check,
        .checked_us = wm_now_us(),
    };
    uv_timer_init(wm_loop_uv(loop), check);
    check->data = pool;
    uv_timer_start(check, on_check, CHECK_MS, CHECK_MS);
    return pool;
}

void wm_node_pool_free(wm_node_pool *pool)
{
    if (pool == NULL) return;
    for (uint32_t i = 0; i < pool->count; i++) {
        free(pool->nodes[i].shown_url);
        free(pool->nodes[i].id);
        free_connections(pool, pool->nodes[i].connections);
    }
    uv_close((uv_handle_t *)pool->check, free_timer);
    free(pool->nodes);
    free(pool);
}

void wm_node_pool_measure(wm_node_pool *pool, wm_connection_times times)
{
    pool->shared.times = times;
}

/* The lowest index without a node: that of a removed one, or pool->count. */
static uint32_t free_index(const wm_node_pool *pool)
{
    uint32_t node_index = 0;
    while (node_index < pool->count && pool->nodes[node_index].is_there) node_index++;
    return node_index;
}

/* Adds an index, and its connections. */
static int grow(wm_node_pool *pool)
{
    node *grown = realloc(pool->nodes, (pool->count + 1) * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    pool->nodes = grown;
    node n = {.connections = new_connections(pool)};
    if (n.connections == NULL) return WM_ENOMEM;
    pool->nodes[pool->count++] = n;
    return WM_OK;
}

int wm_node_pool_add(wm_node_pool *pool, const char *url, const char *shown_url)
{
    wm_url parsed;
    if (!wm_url_parse(url, "/ws", &parsed)) return WM_EINVAL;
    uint32_t node_index = free_index(pool);
    if (node_index == pool->count && grow(pool) < 0) return WM_ENOMEM;
    char *shown = strdup(shown_url), *id = strdup("");
    if (shown == NULL || id == NULL) {
        free(shown);
        free(id);
        return WM_ENOMEM;
    }
    node *n = &pool->nodes[node_index];
    n->shown_url = shown;
    n->id = id;
    n->url = parsed;
    n->is_there = true;
    return (int)node_index;
}

void wm_node_pool_remove(wm_node_pool *pool, int node_index)
{
    node *n = &pool->nodes[node_index];
    free(n->shown_url);
    free(n->id);
    n->shown_url = n->id = NULL;
    n->is_there = false;
    for (uint32_t i = 0; i < pool->connections_per_node; i++) wm_node_connection_clear(n->connections[i]);
}

uint32_t wm_node_pool_count(const wm_node_pool *pool)
{
    return pool->count;
}

uint32_t wm_node_pool_connections(const wm_node_pool *pool)
{
    return pool->count * pool->connections_per_node;
}

const char *wm_node_pool_shown_url(const wm_node_pool *pool, int node_index)
{
    return pool->nodes[node_index].is_there ? pool->nodes[node_index].shown_url : "";
}

const char *wm_node_pool_id(const wm_node_pool *pool, int node_index)
{
    return pool->nodes[node_index].is_there ? pool->nodes[node_index].id : "";
}

int wm_node_pool_set_id(wm_node_pool *pool, int node_index, const char *id)
{
    char *copy = strdup(id);
    if (copy == NULL) return WM_ENOMEM;
    free(pool->nodes[node_index].id);
    pool->nodes[node_index].id = copy;
    return WM_OK;
}

int wm_node_pool_node_of(const wm_node_pool *pool, int id)
{
    return (int)((uint32_t)id / pool->connections_per_node);
}

int wm_node_pool_connection_of(const wm_node_pool *pool, int node_index, uint32_t ordinal)
{
    return (int)((uint32_t)node_index * pool->connections_per_node + ordinal);
}

uint32_t wm_node_pool_per_node(const wm_node_pool *pool)
{
    return pool->connections_per_node - 1;
}

int wm_node_pool_listener_of(const wm_node_pool *pool, int node_index)
{
    return wm_node_pool_connection_of(pool, node_index, wm_node_pool_per_node(pool));
}

bool wm_node_pool_is_listener(const wm_node_pool *pool, int id)
{
    return (uint32_t)id % pool->connections_per_node == wm_node_pool_per_node(pool);
}

int wm_node_pool_connect(wm_node_pool *pool, int id, const wm_addresses *addresses)
{
    const wm_url *url = &pool->nodes[wm_node_pool_node_of(pool, id)].url;
    return wm_node_connection_open(connection_at(pool, id), url, addresses);
}

void wm_node_pool_disconnect(wm_node_pool *pool, int id, int close_code)
{
    wm_node_connection_close(connection_at(pool, id), close_code);
}

void wm_node_pool_fail(wm_node_pool *pool, int id, wm_end_reason reason, const char *detail)
{
    wm_node_connection_fail(connection_at(pool, id), reason, detail);
}

int wm_node_pool_authenticate(wm_node_pool *pool, int id, const char *token, size_t len)
{
    return wm_node_connection_authenticate(connection_at(pool, id), token, len);
}

int wm_node_pool_send(wm_node_pool *pool, int id, const uint8_t *message, size_t len)
{
    return wm_node_connection_send(connection_at(pool, id), message, len);
}

void wm_node_pool_trace(wm_node_pool *pool, bool on)
{
    pool->shared.traced = on;
}

void wm_node_pool_want_batch(wm_node_pool *pool, int id)
{
    wm_node_connection_want_batch(connection_at(pool, id));
}

void wm_node_pool_ask(wm_node_pool *pool, int id)
{
    wm_node_connection_ask(connection_at(pool, id));
}

bool wm_node_pool_is_behind(const wm_node_pool *pool, int id)
{
    return wm_node_connection_is_behind(connection_at(pool, id));
}

size_t wm_node_pool_unread(const wm_node_pool *pool)
{
    size_t bytes = 0;
    uint32_t connections = wm_node_pool_connections(pool);
    for (uint32_t i = 0; i < connections; i++) bytes += wm_node_connection_unread(connection_at(pool, (int)i));
    return bytes;
}

wm_connection_info wm_node_pool_connection(const wm_node_pool *pool, int id)
{
    return wm_node_connection_info(connection_at(pool, id));
}
