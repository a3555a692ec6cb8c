/* How fast a connection is sent on: the throttle, a pause after an overload; and the send window of a v2
 * server's connection. */
#include "client/state.h"

#define THROTTLE_FIRST_US 50000u
#define THROTTLE_MAX_US 2000000u

void wm_client_throttle(wm_client *c, int connection)
{
    wm_client_connection *state = &c->connections.all[connection];
    state->backoff_us = state->backoff_us ? state->backoff_us * 2 : THROTTLE_FIRST_US;
    if (state->backoff_us > THROTTLE_MAX_US) state->backoff_us = THROTTLE_MAX_US;
    state->throttled_until_us = c->now_us + state->backoff_us;
}

/* -- the send window ------------------------------------------------------------------- */

static void apply(wm_client *c, int connection)
{
    const wm_send_window *w = &c->connections.all[connection].window;
    if (c->fixed_ops > 0) wm_batcher_set_window(c->batcher, connection, c->windowed_ops, c->fixed_ops);
    else wm_batcher_set_window(c->batcher, connection, wm_send_window_batch(w, c->windowed_ops), w->ops);
}

void wm_client_fix_windows(wm_client *c, uint32_t batch_ops, uint32_t ops)
{
    c->windowed_ops = batch_ops;
    c->fixed_ops = ops;
}

void wm_client_open_window(wm_client *c, int connection, bool is_v2)
{
    wm_client_connection *state = &c->connections.all[connection];
    uint32_t gap_ns = state->window.gap_ns; /* a new connection makes no server faster */
    if (!is_v2) {
        wm_batcher_set_window(c->batcher, connection, UINT32_MAX, UINT32_MAX);
        return;
    }
    state->window = wm_send_window_new(wm_now_us());
    state->window.gap_ns = gap_ns;
    apply(c, connection);
}

/* Whether operations wait because the window has no room for another batch. */
static bool is_full(const wm_send_window *w, const wm_connection_load *load, uint32_t batch_ops)
{
    uint32_t most = w->ops < batch_ops ? w->ops : batch_ops;
    return load->pending_ops > 0 && load->in_flight_ops + most / 2 >= w->ops;
}

void wm_client_window_acked(wm_client *c, int connection, uint32_t ops, uint64_t cut_us)
{
    wm_send_window *w = &c->connections.all[connection].window;
    wm_connection_load load = wm_batcher_load(c->batcher, connection);
    wm_send_ack ack = {
        .ops = ops,
        .in_flight = load.in_flight_ops,
        .is_full = is_full(w, &load, c->windowed_ops),
        .took_us = c->now_us - cut_us,
    };
    wm_send_window_acked(w, &ack, c->now_us);
    apply(c, connection);
}

void wm_client_window_refused(wm_client *c, int connection, bool is_rate)
{
    if (wm_node_pool_connection(c->pool, connection).dialect != WM_DIALECT_V2) return;
    wm_connection_load load = wm_batcher_load(c->batcher, connection);
    wm_send_window *w = &c->connections.all[connection].window;
    wm_send_window_refused(w, load.in_flight_batches, load.in_flight_ops, is_rate, c->now_us);
    apply(c, connection);
}

/* So late a batch may leave without the next one leaving later, too: the timer is not exact. */
#define LATE_US 100000u

void wm_client_pace(wm_client *c, int connection, uint32_t ops, uint64_t now_us)
{
    wm_client_connection *state = &c->connections.all[connection];
    uint64_t pause_us = c->fixed_ops > 0 ? 0 : wm_send_window_pause_us(&state->window, ops);
    if (pause_us == 0) return;
    bool is_timely = state->throttled_until_us + LATE_US > now_us;
    state->throttled_until_us = (is_timely ? state->throttled_until_us : now_us) + pause_us;
}
