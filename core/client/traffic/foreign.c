/* For a provider with a transport of its own, which takes operations and settles them. */
#include "base/status.h"
#include "client/state.h"

int wm_client_foreign_take(wm_client *c, wm_buffer *out)
{
    if (c->foreign_connection == WM_NO_CONNECTION) {
        if (wm_batcher_set_connections(c->batcher, 1) < 0) return WM_ENOMEM;
        c->foreign_connection = 0; /* such a client has no nodes in the pool */
    }
    for (uint32_t p = 0; p < c->routes.count; p++)
        wm_batcher_set_route(c->batcher, p, c->foreign_connection);
    wm_client_catch_up(c);
    return wm_batcher_take(c->batcher, c->foreign_connection, out, wm_now_us());
}

uint32_t wm_client_foreign_ack(wm_client *c, const char *last_id, size_t len)
{
    if (c->foreign_connection == WM_NO_CONNECTION) return 0;
    c->now_us = wm_now_us();
    uint32_t settled = wm_batcher_ack(c->batcher, c->foreign_connection, last_id, len);
    wm_client_check_watermarks(c);
    return settled;
}

uint32_t wm_client_foreign_release(wm_client *c)
{
    if (c->foreign_connection == WM_NO_CONNECTION) return 0;
    return wm_batcher_release_connection(c->batcher, c->foreign_connection, wm_now_us());
}
