/* Listening connections: one for each node, on which no operation is sent. */
#include "base/status.h"
#include "client/state.h"

static wm_client_connection *listener(const wm_client *c, int node_index)
{
    return &c->connections.all[wm_node_pool_listener_of(c->pool, node_index)];
}

bool wm_client_is_listening(const wm_client *c, int node_index)
{
    return listener(c, node_index)->usable;
}

void wm_client_disconnect(wm_client *c, int connection, int close_code)
{
    wm_node_pool_disconnect(c->pool, connection, close_code);
    if (wm_node_pool_is_listener(c->pool, connection)) wm_client_listener_ended(c, connection);
}

void wm_client_hook_listeners(wm_client *c, wm_listener_hooks hooks)
{
    c->listener_hooks = hooks;
}

void wm_client_listener_began(wm_client *c, int connection)
{
    if (c->connections.all[connection].usable) return;
    c->connections.all[connection].usable = true;
    const wm_listener_hooks *hooks = &c->listener_hooks;
    if (hooks->listening != NULL) hooks->listening(hooks->user, wm_node_pool_node_of(c->pool, connection));
}

void wm_client_listener_ended(wm_client *c, int connection)
{
    if (!c->connections.all[connection].usable) return;
    c->connections.all[connection].usable = false;
    const wm_listener_hooks *hooks = &c->listener_hooks;
    if (hooks->lost != NULL) hooks->lost(hooks->user, wm_node_pool_node_of(c->pool, connection));
}
