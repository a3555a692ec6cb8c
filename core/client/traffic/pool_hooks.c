#include "client/traffic/pool_hooks.h"

#include <string.h>

/* Bytes of traced messages that may wait for the script. */
#define TRACED_MAX (16u * 1024u * 1024u)
/* Bytes of events for the script at which an iteration with a deadline stops reading. */
#define EVENTS_ENOUGH (128u * 1024u)
/* One frame of an iteration with a deadline: encoding, masking and sending it takes some 50 us. */
#define BOUNDED_BATCH ((wm_batch_limits){.max_ops = 250, .max_bytes = 16 * 1024})

static void on_auth_required(void *user, int connection)
{
    wm_client_event(user, (wm_event){.type = WM_EVENT_AUTH_REQUIRED, .connection = connection}, NULL, 0);
}

static void on_ready(void *user, int connection)
{
    wm_client *c = user;
    if (wm_node_pool_is_listener(c->pool, connection)) {
        wm_client_event(c, (wm_event){.type = WM_EVENT_READY, .connection = connection}, NULL, 0);
        return;
    }
    wm_dialect family = wm_node_pool_connection(c->pool, connection).dialect;
    wm_batcher_set_serial(c->batcher, connection, family == WM_DIALECT_V2);
    wm_client_know_family(c, family);
    /* What batches without a timely answer have caused outlasts the connection: the window and the
     * throttle. */
    wm_client_connection *state = &c->connections.all[connection];
    *state = (wm_client_connection){
        .window = state->window,
        .throttled_until_us = state->throttled_until_us,
        .backoff_us = state->backoff_us,
        .refusals = state->refusals,
    };
    wm_client_open_window(c, connection, family == WM_DIALECT_V2);
    wm_client_forget_refusals(c, connection);
    wm_map_chooser_source_began(c->chooser, wm_node_pool_node_of(c->pool, connection));
    wm_client_event(c, (wm_event){.type = WM_EVENT_READY, .connection = connection}, NULL, 0);
}

/* Returns the operations that were in flight on the connection. */
static void return_operations(wm_client *c, int connection, const wm_connection_loss *loss)
{
    c->indoubt.is_losing_v2 = wm_node_pool_connection(c->pool, connection).dialect == WM_DIALECT_V2;
    if (loss->was_ready && !c->indoubt.is_losing_v2) wm_client_node_lost(c);
    wm_client_blame(c, connection, loss);
    c->figures.stats.ops_resent += wm_batcher_release_connection(c->batcher, connection, c->now_us);
    c->indoubt.is_losing_v2 = false;
    c->connections.all[connection].usable = false;
    for (uint32_t p = 0; p < c->routes.count; p++) {
        wm_partition_route *route = &c->routes.all[p];
        if (route->connection == connection && route->moved_us == 0) route->moved_us = c->now_us;
    }
    wm_client_apply_routes(c);
}

static void on_lost(void *user, int connection, const wm_connection_loss *loss)
{
    wm_client *c = user;
    c->now_us = wm_now_us();
    if (wm_node_pool_is_listener(c->pool, connection)) wm_client_listener_ended(c, connection);
    else return_operations(c, connection, loss);
    wm_event event = {
        .type = WM_EVENT_LOST,
        .connection = connection,
        .a = loss->reason,
        .b = loss->close_code,
        .flag = loss->was_ready,
    };
    wm_client_event(c, event, loss->detail, strlen(loss->detail));
}

static void on_batch(void *user, int connection, wm_buffer *out)
{
    wm_client *c = user;
    uint64_t now = wm_now_us();
    if (c->connections.all[connection].throttled_until_us > now) return;
    wm_client_catch_up(c);
    size_t before = out->len;
    int ops = wm_loop_is_bounded(c->loop) ? wm_batcher_take_at_most(c->batcher, connection, out, now, BOUNDED_BATCH)
                                          : wm_batcher_take(c->batcher, connection, out, now);
    if (ops < 0) return;
    if (ops > 0) {
        wm_node_stats *node = &c->figures.node_stats[wm_node_pool_node_of(c->pool, connection)];
        c->figures.stats.batches_sent++;
        c->figures.stats.bytes_sent += out->len - before;
        node->batches_sent++;
        node->bytes_sent += out->len - before;
        wm_histogram_record(c->figures.batch_sizes, (uint64_t)ops);
        wm_client_pace(c, connection, (uint32_t)ops, now);
        if (c->connections.all[connection].throttled_until_us > now) return;
    }
    if (wm_batcher_is_due(c->batcher, connection, now)) wm_node_pool_want_batch(c->pool, connection);
}

static void on_batch_written(void *user, int connection)
{
    wm_client *c = user;
    wm_batcher_written(c->batcher, connection, wm_now_us());
}

static bool wants_more(void *user)
{
    wm_client *c = user;
    return wm_event_queue_bytes(&c->events) < EVENTS_ENOUGH;
}

void wm_client_use_connection(wm_client *c, int connection)
{
    if (wm_node_pool_connection(c->pool, connection).state != WM_CONNECTION_READY) return;
    if (wm_node_pool_is_listener(c->pool, connection)) {
        wm_client_listener_began(c, connection);
        return;
    }
    c->connections.all[connection].usable = true;
    wm_client_apply_routes(c);
}

static void on_traced(void *user, int connection, const uint8_t *message, size_t len, bool outward, bool text)
{
    wm_client *c = user;
    wm_event event = {.type = WM_EVENT_FRAME, .connection = connection, .a = (int64_t)len, .b = text, .flag = outward};
    bool fits = len <= TRACED_MAX && c->events.bytes.len <= TRACED_MAX - len;
    wm_client_event(c, event, fits ? message : NULL, fits ? len : 0);
}

void wm_client_trace(wm_client *c, bool on)
{
    wm_node_pool_trace(c->pool, on);
}

const wm_node_connection_events wm_client_pool_events = {
    .auth_required = on_auth_required,
    .ready = on_ready,
    .lost = on_lost,
    .message = wm_client_on_message,
    .too_large = wm_client_on_too_large,
    .map_event = wm_client_on_map_event,
    .wants_more = wants_more,
    .text = wm_client_on_text,
    .batch = on_batch,
    .traced = on_traced,
    .batch_written = on_batch_written,
};
