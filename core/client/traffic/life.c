/* Creating a client, its timer, and freeing it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/state.h"
#include "client/traffic/ack_hooks.h"
#include "client/traffic/pool_hooks.h"

#define DEFAULT_PARTITIONS 271u
/* How often deadlines and pauses are checked (ms). */
#define TIMER_MS 20
/* Ack latencies are kept up to an hour, batch sizes up to the frame's limit. */
#define LATENCY_MAX_US 3600000000u
#define BATCH_SIZE_MAX 65535u

static void refresh_time(wm_client *c)
{
    c->now_us = wm_now_us();
    c->tick.wall_offset_us = (int64_t)(wm_wall_ms() * 1000) - (int64_t)c->now_us;
}

/* -- time ------------------------------------------------------------------------------------ */

void wm_client_flush(wm_client *c, bool all)
{
    uint64_t now = c->now_us = wm_now_us();
    wm_client_sync_log(c);
    uint32_t connections = wm_node_pool_connections(c->pool);
    for (uint32_t i = 0; i < connections; i++) {
        if (c->connections.all[i].throttled_until_us > now) continue;
        if (all ? wm_batcher_has_due(c->batcher, (int)i, now) : wm_batcher_is_due(c->batcher, (int)i, now))
            wm_node_pool_want_batch(c->pool, (int)i);
    }
}

static void on_timer(uv_timer_t *timer)
{
    wm_client *c = timer->data;
    refresh_time(c);
    wm_client_retry_routes(c);
    wm_client_check_membership(c);
    wm_client_tend_replicas(c);
    uint32_t connections = wm_node_pool_connections(c->pool);
    for (uint32_t i = 0; i < connections; i++) wm_client_check_answers(c, (int)i);
    wm_client_flush(c, false);
}

void wm_client_forward_acks(wm_client *c, bool on)
{
    c->forwards_acks = on;
}

/* -- life ------------------------------------------------------------------------------------------ */

static void on_listener_lost(void *client, int node_index)
{
    const wm_client *c = client;
    wm_client_replica_lost(client, wm_node_pool_listener_of(c->pool, node_index));
}

static bool set_up(wm_client *c, const wm_client_options *o, char *error, size_t size)
{
    c->transport = wm_transport_new(c->loop, &o->transport, error, size);
    if (c->transport == NULL) return false;
    snprintf(error, size, "out of memory");
    c->pool = wm_node_pool_new(c->loop, c->transport, o->pool, wm_client_pool_events, c);
    c->chooser = wm_map_chooser_new();
    c->log = wm_oplog_new(o->log);
    c->figures.ack_latency = wm_histogram_new(LATENCY_MAX_US, 3);
    c->figures.batch_sizes = wm_histogram_new(BATCH_SIZE_MAX, 3);
    c->dead_letters = wm_dead_letters_new();
    bool has_routes = wm_route_table_init(&c->routes, WM_HASH_UNKNOWN, DEFAULT_PARTITIONS);
    if (!c->pool || !c->chooser || !c->log || !has_routes || !c->dead_letters) return false;
    if (!c->figures.ack_latency || !c->figures.batch_sizes) return false;
    if (!wm_client_keeps_acks(c, o->recent_ack_bytes)) return false;
    c->batcher = wm_batcher_new(c->log, &c->routes, o->batch, wm_client_batcher_hooks(c));
    uint32_t own;
    if (!c->batcher || !wm_node_names_intern(&c->maps.writers, o->client_id, strlen(o->client_id), &own)) return false;
    c->tick.timer = calloc(1, sizeof *c->tick.timer);
    if (!c->tick.timer) return false;
    uv_timer_init(wm_loop_uv(c->loop), c->tick.timer);
    c->tick.timer->data = c;
    uv_timer_start(c->tick.timer, on_timer, TIMER_MS, TIMER_MS);
    wm_op_ids_init(&c->writer.ids, o->op_prefix);
    refresh_time(c);
    wm_client_hook_listeners(c, (wm_listener_hooks){.user = c, .lost = on_listener_lost});
    return true;
}

static wm_watermark watermark(const wm_oplog_limits *limits, double share)
{
    return (wm_watermark){(double)limits->max_ops * share, (double)limits->max_bytes * share};
}

wm_client *wm_client_new(wm_loop *loop, const wm_client_options *options, wm_log_problem *log_problem, char *error,
                         size_t size)
{
    wm_client *c = calloc(1, sizeof *c);
    *log_problem = WM_LOG_NONE;
    if (c == NULL) {
        snprintf(error, size, "out of memory");
        return NULL;
    }
    c->loop = loop;
    wm_loop_ref(loop);
    c->foreign_connection = WM_NO_CONNECTION;
    c->message_limits = options->messages;
    c->ack_timeout_us = options->batch.ack_timeout_us;
    c->windowed_ops = options->windowed_ops;
    c->max_tries = options->max_tries;
    c->replicas.space.most = options->copy_records;
    c->writer.drop_oldest = options->drop_oldest;
    c->rules.checks_map_names = options->checks_map_names;
    c->backpressure.high = watermark(&options->log, options->high_watermark);
    c->backpressure.low = watermark(&options->log, options->low_watermark);
    c->backpressure.low_share = options->low_watermark;
    c->backpressure.node_ops = (uint32_t)((double)options->log.max_ops * options->node_share);
    if (c->backpressure.node_ops == 0) c->backpressure.node_ops = 1;
    c->backpressure.node_bytes = (size_t)((double)options->log.max_bytes * options->node_share);
    if (c->backpressure.node_bytes == 0) c->backpressure.node_bytes = 1;
    c->backpressure.full_partition = -1;
    wm_event_queue_init(&c->events);
    if (set_up(c, options, error, size) && wm_client_open_log(c, options, log_problem, error, size)) return c;
    wm_client_free(c);
    return NULL;
}

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

void wm_client_free(wm_client *c)
{
    if (c == NULL) return;
    if (c->log != NULL && c->dead_letters != NULL) wm_client_finish_log(c);
    if (c->tick.timer != NULL) {
        if (c->tick.timer->loop != NULL) uv_close((uv_handle_t *)c->tick.timer, free_timer);
        else free(c->tick.timer);
    }
    wm_node_pool_free(c->pool);
    wm_transport_free(c->transport);
    wm_client_free_replicas(c); /* their own records are looked up in the log */
    wm_batcher_free(c->batcher);
    wm_oplog_free(c->log);
    wm_dead_letters_free(c->dead_letters);
    wm_map_chooser_free(c->chooser);
    wm_histogram_free(c->figures.ack_latency);
    wm_histogram_free(c->figures.batch_sizes);
    wm_event_queue_close(&c->events);
    wm_indoubt_writes_free(c->indoubt.writes);
    wm_client_free_acks(c);
    wm_client_free_maps(c);
    wm_client_free_subscriptions(c);
    wm_route_table_close(&c->routes);
    for (uint32_t i = 0; i < c->connections.count; i++) free(c->connections.all[i].refusals);
    free(c->connections.all);
    free(c->figures.node_stats);
    wm_loop_free(c->loop);
    free(c);
}
