#include "client/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/status.h"

#define DEFAULT_PARTITIONS 271u
/* How often deadlines and pauses are looked at (ms). */
#define TIMER_MS 20
/* An acknowledgement that comes later than this is not in the usual order of things. */
#define LONG_WAIT_US 100000u
/* Ack latencies are kept up to an hour, batch sizes up to the frame's limit. */
#define LATENCY_MAX_US 3600000000u
#define BATCH_SIZE_MAX 65535u
/* Bytes of traced messages that wait for the script. */
#define TRACED_MAX (16u * 1024u * 1024u)
/* Bytes of events that wait for the script before a turn with a deadline reads no more. */
#define EVENTS_ENOUGH (128u * 1024u)
/* One frame in a turn with a deadline: encoding, masking and sending take some 50 us. */
#define BOUNDED_BATCH ((wm_batch_limits){.max_ops = 250, .max_bytes = 16 * 1024})

void wm_client_event(wm_client *c, wm_event event, const void *text, size_t len)
{
    wm_event_queue_push(&c->events, event, text, len);
}

uint64_t wm_client_unix_ms(wm_client *c)
{
    return (uint64_t)((int64_t)c->now_us + c->wall_offset_us) / 1000;
}

static void refresh_time(wm_client *c)
{
    c->now_us = wm_now_us();
    c->wall_offset_us = (int64_t)(wm_wall_ms() * 1000) - (int64_t)c->now_us;
}

/* -- what the batcher reports ---------------------------------------------------------- */

/* v2 stamps records itself, when they arrive. So a later write of ours that waited for its
 * turn may have an earlier time than the record of an earlier one: what was recorded
 * before a partition moved, or long before it was acknowledged, is newer all the same, and
 * the value is one to recognise when a node tells of it late or the partition returns. */
static void keep_times_in_order(wm_client *c, const wm_op *op, int slot, wm_partition_route *route)
{
    bool has_moved = slot != route->slot;
    bool has_waited = c->now_us - op->recorded_us > LONG_WAIT_US;
    if (has_moved) route->moved_seq = wm_oplog_last_seq(c->log);
    if (has_moved || has_waited) wm_client_note_doubtful(c, op);
    if (has_waited || op->seq <= route->moved_seq) wm_client_acked_late(c, op);
}

/* The first acknowledgement of a partition by the node that it moved to. */
static void tell_resumed(wm_client *c, int lane, uint32_t partition, wm_partition_route *route)
{
    wm_event event = {
        .type = WM_EVENT_RESUMED,
        .lane = lane,
        .a = partition,
        .b = (int64_t)(c->now_us - route->moved_us),
    };
    route->moved_us = 0;
    wm_client_event(c, event, NULL, 0);
}

WM_HOT_PATH static void on_acked(void *user, int lane, const uint32_t *ops, uint32_t count, const wm_batch_times *times)
{
    wm_client *c = user;
    bool is_own = lane != c->foreign_lane;
    int slot = is_own ? wm_node_pool_slot_of(c->pool, lane) : -1;
    bool is_v2 = is_own && wm_node_pool_lane(c->pool, lane).dialect == WM_DIALECT_V2;
    uint64_t acked = 0, bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i] == WM_NO_OP) continue;
        const wm_op *op = wm_oplog_at(c->log, ops[i]);
        acked++;
        bytes += op->len;
        wm_histogram_record(c->ack_latency, c->now_us - op->recorded_us);
        if (op->notify)
            wm_client_event(c, (wm_event){.type = WM_EVENT_OP_DONE, .lane = lane, .a = (int64_t)op->seq}, NULL, 0);
        if (!is_own) continue;
        wm_partition_route *route = &c->routes.all[op->partition];
        if (is_v2) keep_times_in_order(c, op, slot, route);
        if (route->moved_us != 0 && slot == route->slot) tell_resumed(c, lane, op->partition, route);
    }
    if (c->membership.acks != NULL && is_own && !is_v2) wm_client_keep_acked(c, ops, count, times->cut_us);
    if (c->metrics != NULL) wm_op_metrics_acked(c->metrics, c->log, ops, count, slot, times, c->now_us);
    c->stats.ops_acked += acked;
    if (c->node_stats == NULL || !is_own) return;
    c->node_stats[slot].ops_acked += acked;
    c->node_stats[slot].bytes_acked += bytes;
}

static void on_routed(void *user, int lane, const uint32_t *ops, uint32_t count)
{
    wm_client *c = user;
    if (lane == c->foreign_lane) return;
    uint64_t direct = 0;
    for (uint32_t i = 0; i < count; i++) direct += c->routes.all[wm_oplog_at(c->log, ops[i])->partition].to_owner;
    wm_routing_metrics *metrics = wm_router_metrics(c->router);
    metrics->direct_routes += direct;
    metrics->fallback_routes += count - direct;
    c->node_stats[wm_node_pool_slot_of(c->pool, lane)].ops_sent += count;
}

static void on_returned(void *user, int lane, uint32_t index)
{
    wm_client *c = user;
    const wm_op *op = wm_oplog_at(c->log, index);
    if (c->is_losing_v2) wm_client_note_doubtful(c, op);
    if (op->tries != c->max_tries) return;
    wm_event event = {.type = WM_EVENT_OP_TRIES, .lane = lane, .a = (int64_t)op->seq, .b = op->tries};
    wm_client_event(c, event, wm_op_key(op), op->key_len);
}

/* -- what the pool reports --------------------------------------------------------------- */

static void on_auth_required(void *user, int lane)
{
    wm_client_event(user, (wm_event){.type = WM_EVENT_AUTH_REQUIRED, .lane = lane}, NULL, 0);
}

static void on_ready(void *user, int lane)
{
    wm_client *c = user;
    wm_dialect family = wm_node_pool_lane(c->pool, lane).dialect;
    wm_batcher_set_serial(c->batcher, lane, family == WM_DIALECT_V2);
    wm_client_know_family(c, family);
    /* A new connection does not make up for batches that were not answered in time. */
    wm_pace *pace = &c->paces[lane];
    *pace = (wm_pace){.paused_until_us = pace->paused_until_us, .backoff_us = pace->backoff_us, .refusals = pace->refusals};
    wm_client_forget_refusals(c, lane);
    wm_router_source_began(c->router, wm_node_pool_slot_of(c->pool, lane));
    wm_client_event(c, (wm_event){.type = WM_EVENT_READY, .lane = lane}, NULL, 0);
}

static void on_lost(void *user, int lane, const wm_lane_end *end)
{
    wm_client *c = user;
    c->now_us = wm_now_us();
    c->is_losing_v2 = wm_node_pool_lane(c->pool, lane).dialect == WM_DIALECT_V2;
    if (end->was_ready && !c->is_losing_v2) wm_client_node_lost(c);
    wm_client_blame(c, lane, end);
    c->stats.ops_resent += wm_batcher_release_lane(c->batcher, lane, c->now_us);
    c->is_losing_v2 = false;
    c->paces[lane].usable = false;
    for (uint32_t p = 0; p < c->routes.count; p++)
        if (wm_batcher_route(c->batcher, p) == lane && c->routes.all[p].moved_us == 0) c->routes.all[p].moved_us = c->now_us;
    wm_client_apply_routes(c);
    wm_event event = {
        .type = WM_EVENT_LOST,
        .lane = lane,
        .a = end->reason,
        .b = end->close_code,
        .flag = end->was_ready,
    };
    wm_client_event(c, event, end->detail, strlen(end->detail));
}

static void on_batch(void *user, int lane, wm_buffer *out)
{
    wm_client *c = user;
    uint64_t now = wm_now_us();
    if (c->paces[lane].paused_until_us > now) return;
    wm_client_catch_up(c);
    size_t before = out->len;
    int ops = wm_loop_is_bounded(c->loop) ? wm_batcher_take_at_most(c->batcher, lane, out, now, BOUNDED_BATCH)
                                          : wm_batcher_take(c->batcher, lane, out, now);
    if (ops < 0) return;
    if (ops > 0) {
        wm_node_stats *node = &c->node_stats[wm_node_pool_slot_of(c->pool, lane)];
        c->stats.batches_sent++;
        c->stats.bytes_sent += out->len - before;
        node->batches_sent++;
        node->bytes_sent += out->len - before;
        wm_histogram_record(c->batch_sizes, (uint64_t)ops);
    }
    if (wm_batcher_is_due(c->batcher, lane, now)) wm_node_pool_want_batch(c->pool, lane);
}

static void on_batch_written(void *user, int lane)
{
    wm_client *c = user;
    wm_batcher_written(c->batcher, lane, wm_now_us());
}

int wm_client_measure(wm_client *c, wm_op_metrics *m)
{
    c->metrics = m;
    wm_node_pool_measure(c->pool, wm_op_metrics_connections(m));
    return wm_op_metrics_size(m, wm_node_pool_count(c->pool), c->routes.count);
}

static bool has_room(void *user)
{
    wm_client *c = user;
    return wm_event_queue_bytes(&c->events) < EVENTS_ENOUGH;
}

void wm_client_use_lane(wm_client *c, int lane)
{
    if (wm_node_pool_lane(c->pool, lane).state != WM_LANE_READY) return;
    c->paces[lane].usable = true;
    wm_client_apply_routes(c);
}

static void on_traced(void *user, int lane, const uint8_t *message, size_t len, bool outward, bool text)
{
    wm_client *c = user;
    wm_event event = {.type = WM_EVENT_FRAME, .lane = lane, .a = (int64_t)len, .b = text, .flag = outward};
    bool fits = len <= TRACED_MAX && c->events.bytes.len <= TRACED_MAX - len;
    wm_client_event(c, event, fits ? message : NULL, fits ? len : 0);
}

void wm_client_trace(wm_client *c, bool on)
{
    wm_node_pool_trace(c->pool, on);
}

static const wm_node_pool_events pool_events = {
    .auth_required = on_auth_required,
    .ready = on_ready,
    .lost = on_lost,
    .message = wm_client_on_message,
    .too_large = wm_client_on_too_large,
    .change = wm_client_on_change,
    .has_room = has_room,
    .text = wm_client_on_text,
    .batch = on_batch,
    .traced = on_traced,
    .batch_written = on_batch_written,
};

/* -- time ------------------------------------------------------------------------------------ */

void wm_client_flush(wm_client *c, bool all)
{
    uint64_t now = c->now_us = wm_now_us();
    wm_client_sync_log(c);
    uint32_t lanes = wm_node_pool_lanes(c->pool);
    for (uint32_t i = 0; i < lanes; i++) {
        if (c->paces[i].paused_until_us > now) continue;
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
    uint32_t lanes = wm_node_pool_lanes(c->pool);
    for (uint32_t i = 0; i < lanes; i++) wm_client_check_answers(c, (int)i);
    wm_client_flush(c, false);
}

void wm_client_hand_up_acks(wm_client *c, bool on)
{
    c->hands_up_acks = on;
}

/* -- foreign providers -------------------------------------------------------------------------- */

int wm_client_foreign_take(wm_client *c, wm_buffer *out)
{
    if (c->foreign_lane == WM_LANE_NONE) {
        if (wm_batcher_set_lanes(c->batcher, 1) < 0) return WM_ENOMEM;
        c->foreign_lane = 0; /* such a client has no nodes in the pool */
    }
    for (uint32_t p = 0; p < c->routes.count; p++)
        wm_batcher_set_route(c->batcher, p, c->foreign_lane);
    wm_client_catch_up(c);
    return wm_batcher_take(c->batcher, c->foreign_lane, out, wm_now_us());
}

uint32_t wm_client_foreign_ack(wm_client *c, const char *last_id, size_t len)
{
    if (c->foreign_lane == WM_LANE_NONE) return 0;
    c->now_us = wm_now_us();
    uint32_t settled = wm_batcher_ack(c->batcher, c->foreign_lane, last_id, len);
    wm_client_check_water(c);
    return settled;
}

uint32_t wm_client_foreign_release(wm_client *c)
{
    if (c->foreign_lane == WM_LANE_NONE) return 0;
    return wm_batcher_release_lane(c->batcher, c->foreign_lane, wm_now_us());
}

/* -- life ------------------------------------------------------------------------------------------ */

int wm_client_add_node(wm_client *c, const char *url)
{
    int slot = wm_node_pool_add(c->pool, url);
    if (slot < 0) return slot;
    uint32_t lanes = wm_node_pool_lanes(c->pool);
    wm_node_stats *stats = realloc(c->node_stats, wm_node_pool_count(c->pool) * sizeof *stats);
    if (stats == NULL) return WM_ENOMEM;
    c->node_stats = stats;
    stats[slot] = (wm_node_stats){0};
    wm_pace *paces = realloc(c->paces, lanes * sizeof *paces);
    if (paces == NULL) return WM_ENOMEM;
    c->paces = paces;
    memset(paces + c->lane_count, 0, (lanes - c->lane_count) * sizeof *paces);
    for (uint32_t i = 0; i < lanes / wm_node_pool_count(c->pool); i++) { /* a slot that another node had */
        wm_pace *pace = &paces[wm_node_pool_lane_of(c->pool, slot, i)];
        free(pace->refusals);
        *pace = (wm_pace){0};
    }
    c->lane_count = lanes;
    if (wm_batcher_set_lanes(c->batcher, lanes) < 0) return WM_ENOMEM;
    if (c->metrics != NULL && wm_client_measure(c, c->metrics) < 0) return WM_ENOMEM;
    return slot;
}

static bool is_ready(const wm_client *c, int slot)
{
    uint32_t per_node = wm_node_pool_lanes(c->pool) / wm_node_pool_count(c->pool);
    for (uint32_t i = 0; i < per_node; i++)
        if (wm_node_pool_lane(c->pool, wm_node_pool_lane_of(c->pool, slot, i)).state == WM_LANE_READY) return true;
    return false;
}

static bool is_named(const wm_client *c, const char *id)
{
    int held = wm_router_map_source(c->router), count = (int)wm_node_pool_count(c->pool);
    for (int slot = 0; slot < count; slot++) {
        const wm_partition_map *map = wm_router_map_of(c->router, slot);
        if (map == NULL || (slot != held && !is_ready(c, slot))) continue;
        if (wm_partition_map_find_node(map, id) != WM_MAP_NO_NODE) return true;
    }
    return false;
}

/* Whether a connection, a route or an operation is there. */
static bool is_in_use(const wm_client *c, int slot)
{
    uint32_t per_node = wm_node_pool_lanes(c->pool) / wm_node_pool_count(c->pool);
    for (uint32_t i = 0; i < per_node; i++) {
        int lane = wm_node_pool_lane_of(c->pool, slot, i);
        wm_lane_load load = wm_batcher_load(c->batcher, lane);
        if (wm_node_pool_lane(c->pool, lane).state != WM_LANE_IDLE) return true;
        if (load.pending_ops != 0 || load.in_flight_batches != 0) return true;
    }
    for (uint32_t p = 0; p < c->routes.count; p++)
        if (c->routes.all[p].slot == slot) return true;
    return false;
}

int wm_client_forget_node(wm_client *c, int slot)
{
    const char *id = wm_node_pool_id(c->pool, slot);
    if (is_in_use(c, slot) || (id[0] != 0 && is_named(c, id))) return WM_EINVAL;
    if (wm_router_forget(c->router, slot) < 0) return WM_EINVAL;
    wm_node_pool_remove(c->pool, slot);
    return WM_OK;
}

static bool set_up(wm_client *c, const wm_client_options *o, char *error, size_t size)
{
    c->transport = wm_transport_new(c->loop, &o->transport, error, size);
    if (c->transport == NULL) return false;
    snprintf(error, size, "out of memory");
    c->pool = wm_node_pool_new(c->loop, c->transport, o->pool, pool_events, c);
    c->router = wm_router_new();
    c->log = wm_oplog_new(o->log);
    c->ack_latency = wm_histogram_new(LATENCY_MAX_US, 3);
    c->batch_sizes = wm_histogram_new(BATCH_SIZE_MAX, 3);
    c->dead_letters = wm_dead_letters_new();
    bool has_routes = wm_route_table_init(&c->routes, WM_HASH_UNKNOWN, DEFAULT_PARTITIONS);
    if (!c->pool || !c->router || !c->log || !c->ack_latency || !c->batch_sizes || !has_routes || !c->dead_letters)
        return false;
    if (!wm_client_keeps_acks(c, o->recent_ack_bytes)) return false;
    wm_batcher_hooks hooks = {c, on_acked, on_routed, on_returned, wm_client_op_leaves_first};
    c->batcher = wm_batcher_new(c->log, DEFAULT_PARTITIONS, o->batch, hooks);
    c->node_names = calloc(1, sizeof *c->node_names);
    if (!c->batcher || !c->node_names) return false;
    c->node_names[0] = strdup(o->node_id);
    c->node_name_count = 1;
    c->timer = calloc(1, sizeof *c->timer);
    if (!c->node_names[0] || !c->timer) return false;
    uv_timer_init(wm_loop_uv(c->loop), c->timer);
    c->timer->data = c;
    uv_timer_start(c->timer, on_timer, TIMER_MS, TIMER_MS);
    wm_op_ids_init(&c->ids, o->op_prefix);
    refresh_time(c);
    return true;
}

static wm_water_mark water_mark(const wm_oplog_limits *limits, double share)
{
    return (wm_water_mark){(double)limits->max_ops * share, (double)limits->max_bytes * share};
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
    wm_loop_hold(loop);
    c->foreign_lane = WM_LANE_NONE;
    c->message_limits = options->messages;
    c->ack_timeout_us = options->batch.ack_timeout_us;
    c->max_tries = options->max_tries;
    c->drop_oldest = options->drop_oldest;
    c->checks_map_names = options->checks_map_names;
    c->high_water = water_mark(&options->log, options->high_water);
    c->low_water = water_mark(&options->log, options->low_water);
    c->low_share = options->low_water;
    c->node_ops = (uint32_t)((double)options->log.max_ops * options->node_share);
    if (c->node_ops == 0) c->node_ops = 1;
    c->node_bytes = (size_t)((double)options->log.max_bytes * options->node_share);
    if (c->node_bytes == 0) c->node_bytes = 1;
    c->full_partition = -1;
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
    if (c->timer != NULL) {
        if (c->timer->loop != NULL) uv_close((uv_handle_t *)c->timer, free_timer);
        else free(c->timer);
    }
    wm_node_pool_free(c->pool);
    wm_transport_free(c->transport);
    wm_batcher_free(c->batcher);
    wm_oplog_free(c->log);
    wm_dead_letters_free(c->dead_letters);
    wm_router_free(c->router);
    wm_histogram_free(c->ack_latency);
    wm_histogram_free(c->batch_sizes);
    wm_event_queue_close(&c->events);
    wm_doubtful_writes_free(c->doubtful);
    wm_client_free_acks(c);
    wm_client_free_maps(c);
    wm_client_free_subscriptions(c);
    wm_route_table_close(&c->routes);
    for (uint32_t i = 0; i < c->lane_count; i++) free(c->paces[i].refusals);
    free(c->paces);
    free(c->node_stats);
    wm_loop_free(c->loop);
    free(c);
}

wm_node_pool *wm_client_pool(wm_client *c)
{
    return c->pool;
}

wm_router *wm_client_router(wm_client *c)
{
    return c->router;
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
    return &c->stats;
}

const wm_node_stats *wm_client_node_stats(const wm_client *c, int slot)
{
    return &c->node_stats[slot];
}

const wm_histogram *wm_client_ack_latency(const wm_client *c)
{
    return c->ack_latency;
}

const wm_histogram *wm_client_batch_sizes(const wm_client *c)
{
    return c->batch_sizes;
}

void wm_client_forget_batch_sizes(wm_client *c)
{
    wm_histogram_reset(c->batch_sizes);
}
