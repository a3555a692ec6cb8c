#include "net/node_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "net/inbox.h"

/* How often heartbeats and timeouts are looked at (ms). */
#define CHECK_MS 100
/* A server that has not asked for a token by then may want none: it is asked
 * with a PING (protocol, section 3). */
#define SILENT_OPEN_US 1000000u
/* A loop that was not turned for this long proves nothing about its peers. */
#define STALL_US 1000000u
#define MESSAGE_MAX (1024u * 1024u)
/* Bytes that wait in a lane's inbox before its socket is not read any more. */
#define INBOX_ENOUGH (256u * 1024u)

typedef struct lane {
    wm_node_pool *pool;
    wm_connection *connection;
    wm_lane_info info;
    int id;
    bool first_seen;    /* the first message told the dialect */
    bool token_wanted;
    uint64_t connecting_us;
    uint64_t opened_us;
    uint64_t token_sent_us;
    uint64_t ping_due_us;
    double ping_stamp;  /* what the PONG of the last PING must echo */
    uint64_t ping_sent_us;
    bool batch_wanted;
    bool batch_in_write; /* a batch is among the messages that are being written */
    wm_buffer queue;    /* waiting messages, each behind its u32 length */
    wm_inbox *inbox;    /* received in turns that have a deadline, and not read yet; NULL: never */
    wm_work reading;    /* of the inbox */
    bool held;          /* the socket is not read */
} lane;

typedef struct node {
    char *url_text;
    wm_url url;
    char *id;
    lane *lanes;
    bool is_there; /* it was not removed */
} node;

struct wm_node_pool {
    wm_loop *loop;
    wm_transport *transport;
    wm_node_pool_options options;
    wm_node_pool_events events;
    void *user;
    bool traced;
    wm_connection_times times;
    node *nodes;
    uint32_t count;
    uv_timer_t *check; /* freed by its own close callback */
    uint64_t checked_us;
};

const char *wm_dialect_name(wm_dialect d)
{
    static const char *const names[] = {"unknown", "0.11", "v2"};
    return names[d];
}

static lane *lane_at(const wm_node_pool *pool, int id)
{
    uint32_t per_node = pool->options.connections_per_node;
    return &pool->nodes[(uint32_t)id / per_node].lanes[(uint32_t)id % per_node];
}

static void count(wm_histogram *h, uint64_t from_us, uint64_t to_us)
{
    if (h != NULL && to_us >= from_us) wm_histogram_record(h, to_us - from_us);
}

/* -- sending ----------------------------------------------------------------------- */

static int enqueue(lane *l, const uint8_t *message, size_t len)
{
    if (len > MESSAGE_MAX) return WM_ESIZE;
    if (l->queue.len + len > l->pool->options.max_queued_bytes) return WM_EFULL;
    uint32_t size = (uint32_t)len;
    if (wm_buffer_reserve(&l->queue, len + sizeof size) == NULL) return WM_ENOMEM;
    wm_buffer_append(&l->queue, &size, sizeof size);
    wm_buffer_append(&l->queue, message, len);
    wm_connection_want_write(l->connection);
    return WM_OK;
}

static void send_ping(lane *l, uint64_t now_us)
{
    wm_buffer b;
    wm_buffer_init(&b);
    l->ping_stamp = (double)wm_wall_ms();
    l->ping_sent_us = now_us;
    l->ping_due_us = now_us + l->pool->options.heartbeat_us;
    wm_mp_write_map(&b, 2);
    wm_message_write_type(&b, WM_TYPE_PING);
    wm_mp_write_cstr(&b, "timestamp");
    wm_mp_write_float64(&b, l->ping_stamp);
    if (!b.failed) enqueue(l, b.data, b.len);
    wm_buffer_close(&b);
}

static void on_writable(void *user, wm_buffer *out)
{
    lane *l = user;
    size_t before = out->len;
    if (wm_loop_is_late(l->pool->loop)) {
        wm_connection_want_write(l->connection);
        return;
    }
    if (l->queue.len > 0) {
        uint32_t size;
        memcpy(&size, l->queue.data, sizeof size);
        wm_buffer_append(out, l->queue.data + sizeof size, size);
        wm_buffer_consume(&l->queue, sizeof size + size);
        if (l->queue.len == 0) wm_buffer_close(&l->queue); /* next comes a PING, seconds later */
    } else if (l->batch_wanted && l->info.state == WM_LANE_READY) {
        l->batch_wanted = false;
        l->pool->events.batch(l->pool->user, l->id, out);
        if (out->len > before) l->batch_in_write = true;
    }
    size_t len = out->len - before;
    l->info.bytes_out += len;
    if (l->pool->traced && len > 0 && !out->failed)
        l->pool->events.traced(l->pool->user, l->id, out->data + before, len, true, false);
    if (l->queue.len > 0 || l->batch_wanted) wm_connection_want_write(l->connection);
}

static void on_written(void *user)
{
    lane *l = user;
    if (!l->batch_in_write) return;
    l->batch_in_write = false;
    l->pool->events.batch_written(l->pool->user, l->id);
}

/* -- life of a lane ------------------------------------------------------------------ */

static void reset(lane *l)
{
    l->connection = NULL;
    l->info.state = WM_LANE_IDLE;
    l->info.connected_at_us = 0;
    l->info.rtt_us = l->info.answered_us = 0;
    l->first_seen = l->token_wanted = l->batch_wanted = l->batch_in_write = false;
    l->token_sent_us = 0;
    l->ping_stamp = -1;
    wm_buffer_clear(&l->queue);
    wm_inbox_clear(l->inbox);
    wm_loop_withdraw(&l->reading);
    l->held = false;
}

static void report_lost(lane *l, wm_end_reason reason, int code, const char *detail)
{
    wm_lane_end end = {reason, code, detail, l->info.state == WM_LANE_READY, l->info.rtt_us != 0};
    reset(l);
    l->pool->events.lost(l->pool->user, l->id, &end);
}

static void fail(lane *l, wm_end_reason reason, const char *detail)
{
    if (l->connection == NULL) return;
    char kept[512]; /* `detail` may point into the message that is being read */
    size_t len = strlen(detail);
    if (len >= sizeof kept) len = sizeof kept - 1;
    memcpy(kept, detail, len);
    kept[len] = 0;
    wm_connection_close(l->connection, reason == WM_END_HEARTBEAT ? 0 : 1000);
    report_lost(l, reason, 0, kept);
}

static void become_ready(lane *l)
{
    if (l->info.state == WM_LANE_READY) return;
    uint64_t now = wm_now_us();
    l->info.state = WM_LANE_READY;
    l->info.connected_at_us = now;
    l->info.connects++;
    count(l->pool->times.auth, l->opened_us, now);
    send_ping(l, now);
    l->pool->events.ready(l->pool->user, l->id);
}

/* -- receiving ------------------------------------------------------------------------ */

static bool text_field(const wm_message *m, const char *name, char *out, size_t size)
{
    const uint8_t *bytes;
    size_t len;
    wm_mp_reader r;
    wm_mp_item it;
    out[0] = 0;
    if (wm_mp_find(m->body, m->body_len, name, &bytes, &len) < 0 || bytes == NULL) return false;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_read(&r, &it) < 0 || it.kind != WM_MP_STR) return false;
    size_t n = it.len < size - 1 ? it.len : size - 1;
    memcpy(out, it.bytes, n);
    out[n] = 0;
    return true;
}

static void on_pong(lane *l, const wm_message *m)
{
    const uint8_t *bytes;
    size_t len;
    wm_mp_reader r;
    wm_mp_item it;
    uint64_t echoed;
    if (wm_mp_find(m->body, m->body_len, "timestamp", &bytes, &len) < 0 || bytes == NULL) return;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_read(&r, &it) < 0 || !wm_mp_as_uint(&it, &echoed)) return;
    if ((double)echoed == l->ping_stamp) {
        uint64_t now = wm_now_us();
        l->info.rtt_us = now - l->ping_sent_us;
        l->info.answered_us = l->ping_sent_us;
        count(l->pool->times.heartbeat, l->ping_sent_us, now);
    }
    /* A server that never asked for a token and answers needs none. */
    if (l->info.state == WM_LANE_AUTHENTICATING && !l->token_wanted && l->token_sent_us == 0) become_ready(l);
}

static void on_auth_required(lane *l)
{
    if (l->info.state != WM_LANE_AUTHENTICATING || l->token_wanted || l->token_sent_us != 0) return;
    l->token_wanted = true;
    l->pool->events.auth_required(l->pool->user, l->id);
}

static void on_auth_fail(lane *l, const wm_message *m)
{
    char text[128];
    text_field(m, "error", text, sizeof text);
    fail(l, WM_END_AUTH_FAILED, text);
}

static int on_message(void *user, const wm_message *m)
{
    lane *l = user;
    wm_node_pool *pool = l->pool;
    if (l->connection == NULL) return WM_OK; /* an earlier one of this envelope ended it */
    switch (m->type) {
    case WM_TYPE_PONG: on_pong(l, m); break;
    case WM_TYPE_AUTH_REQUIRED: on_auth_required(l); break;
    case WM_TYPE_AUTH_ACK:
        if (l->info.state == WM_LANE_AUTHENTICATING) become_ready(l);
        break;
    case WM_TYPE_AUTH_FAIL: on_auth_fail(l, m); break;
    default: pool->events.message(pool->user, l->id, m); break;
    }
    return WM_OK;
}

static void on_too_large(void *user, const uint8_t *description, size_t len)
{
    lane *l = user;
    if (l->connection != NULL) l->pool->events.too_large(l->pool->user, l->id, description, len);
}

static int on_change(void *user, const uint8_t *event, size_t len, const wm_message_cost *cost)
{
    lane *l = user;
    if (l->connection != NULL) l->pool->events.change(l->pool->user, l->id, event, len, cost);
    return WM_OK;
}

static void on_text(void *user, const uint8_t *bytes, size_t len)
{
    lane *l = user;
    l->pool->events.text(l->pool->user, l->id, bytes, len);
}

static const wm_inbox_handlers handlers = {{on_message, on_change}, on_text, on_too_large};

static void read_now(lane *l, const uint8_t *message, size_t len, wm_letter_kind kind)
{
    if (kind != WM_LETTER_BINARY) {
        (kind == WM_LETTER_TEXT ? on_text : on_too_large)(l, message, len);
        return;
    }
    wm_frame_reader reader;
    int result = WM_OK;
    wm_frame_reader_open(&reader, message, len, NULL);
    while (result == WM_OK && wm_frame_reader_busy(&reader))
        result = wm_frame_reader_next(&reader, &handlers.frames, l);
    if (result < 0) fail(l, WM_END_PROTOCOL, wm_message_error_text(result));
}

static void read_from_inbox(lane *l)
{
    int result = wm_inbox_read(l->inbox, &handlers, l);
    if (result < 0) fail(l, WM_END_PROTOCOL, wm_message_error_text(result));
}

static void hold(lane *l, bool held)
{
    if (l->connection == NULL || l->held == held) return;
    l->held = held;
    wm_connection_hold(l->connection, held);
}

static wm_work_state read_piece(void *user)
{
    lane *l = user;
    wm_node_pool *pool = l->pool;
    if (!wm_inbox_is_empty(l->inbox)) {
        if (!pool->events.wants_more(pool->user)) return WM_WORK_LATER;
        read_from_inbox(l);
        return WM_WORK_MORE;
    }
    hold(l, false);
    return WM_WORK_DONE;
}

/* What the socket has beyond this waits there until the inbox is read. */
static void keep_for_later(lane *l, const uint8_t *message, size_t len, wm_letter_kind kind, wm_buffer *whole)
{
    wm_node_pool *pool = l->pool;
    if (l->inbox == NULL) l->inbox = wm_inbox_new();
    if (l->inbox == NULL || wm_inbox_put(l->inbox, message, len, kind, whole) < 0) {
        fail(l, WM_END_PROTOCOL, "out of memory for a message");
        return;
    }
    wm_loop_post(pool->loop, &l->reading);
    if (wm_inbox_bytes(l->inbox) > INBOX_ENOUGH) hold(l, true);
    if (!wm_loop_is_late(pool->loop)) return;
    uint32_t lanes = wm_node_pool_lanes(pool);
    for (uint32_t i = 0; i < lanes; i++) {
        lane *other = lane_at(pool, (int)i);
        if (other->connection == NULL) continue;
        hold(other, true);
        wm_loop_post(pool->loop, &other->reading);
    }
}

/* In the order of arrival: now, or behind what waits. */
static void read_or_keep(lane *l, const uint8_t *message, size_t len, wm_letter_kind kind, wm_buffer *whole)
{
    if (wm_loop_is_bounded(l->pool->loop) || !wm_inbox_is_empty(l->inbox)) keep_for_later(l, message, len, kind, whole);
    else read_now(l, message, len, kind);
}

static void on_heard(void *user, size_t len)
{
    lane *l = user;
    l->info.last_heard_us = wm_now_us();
    l->info.bytes_in += len;
}

static void on_passed_by(void *user, const uint8_t *description, size_t len)
{
    wm_buffer none;
    wm_buffer_init(&none);
    read_or_keep(user, description, len, WM_LETTER_TOO_LARGE, &none);
}

static void on_received(void *user, const uint8_t *message, size_t len, bool text, wm_buffer *whole)
{
    lane *l = user;
    if (l->pool->traced) l->pool->events.traced(l->pool->user, l->id, message, len, false, text);
    if (!text && !l->first_seen && len > 0) {
        l->first_seen = true;
        l->info.dialect = message[0] == 0xde ? WM_DIALECT_TS : WM_DIALECT_V2;
    }
    read_or_keep(l, message, len, text ? WM_LETTER_TEXT : WM_LETTER_BINARY, whole);
}

static void on_opened(void *user, uint64_t tls_us)
{
    lane *l = user;
    l->info.state = WM_LANE_AUTHENTICATING;
    l->opened_us = l->info.last_heard_us = wm_now_us();
    count(l->pool->times.connect, l->connecting_us, l->opened_us);
    if (tls_us > 0) count(l->pool->times.tls, 0, tls_us);
    l->ping_due_us = l->opened_us + SILENT_OPEN_US;
}

static void on_ended(void *user, const wm_connection_end *end)
{
    lane *l = user;
    /* What was received before the end counts. */
    while (l->connection != NULL && !wm_inbox_is_empty(l->inbox)) read_from_inbox(l);
    if (l->connection != NULL) report_lost(l, end->reason, end->close_code, end->detail);
}

static const wm_connection_events connection_events = {
    on_opened, on_received, on_passed_by, on_heard, on_writable, on_written, on_ended,
};

/* -- time ------------------------------------------------------------------------------ */

static bool is_behind(const lane *l)
{
    return l->held || !wm_inbox_is_empty(l->inbox);
}

static void check_lane(lane *l, uint64_t now, uint64_t stalled_us)
{
    const wm_node_pool_options *o = &l->pool->options;
    if (l->info.state < WM_LANE_AUTHENTICATING) return;
    l->info.last_heard_us += stalled_us;
    if (is_behind(l)) l->info.last_heard_us = now;
    if (l->token_sent_us != 0 && l->info.state == WM_LANE_AUTHENTICATING && now - l->token_sent_us > o->auth_timeout_us) {
        fail(l, WM_END_AUTH_TIMEOUT, "");
        return;
    }
    if (now > l->info.last_heard_us && now - l->info.last_heard_us > o->heartbeat_timeout_us) {
        fail(l, WM_END_HEARTBEAT, "");
        return;
    }
    bool may_ping = l->info.state == WM_LANE_READY || (!l->token_wanted && l->token_sent_us == 0);
    if (may_ping && now >= l->ping_due_us) send_ping(l, now);
}

static void on_check(uv_timer_t *timer)
{
    wm_node_pool *pool = timer->data;
    uint64_t now = wm_now_us();
    uint64_t since = now - pool->checked_us;
    uint64_t stalled_us = since > STALL_US ? since : 0;
    pool->checked_us = now;
    uint32_t lanes = wm_node_pool_lanes(pool);
    for (uint32_t i = 0; i < lanes; i++) check_lane(lane_at(pool, (int)i), now, stalled_us);
}

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

/* -- the pool --------------------------------------------------------------------------- */

wm_node_pool *wm_node_pool_new(wm_loop *loop, wm_transport *transport, wm_node_pool_options options,
                               wm_node_pool_events events, void *user)
{
    wm_node_pool *pool = calloc(1, sizeof *pool);
    uv_timer_t *check = calloc(1, sizeof *check);
    if (pool == NULL || check == NULL) {
        free(pool);
        free(check);
        return NULL;
    }
    *pool = (wm_node_pool){
        .loop = loop,
        .transport = transport,
        .options = options,
        .events = events,
        .user = user,
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
    for (uint32_t i = 0; i < wm_node_pool_lanes(pool); i++) {
        lane *l = lane_at(pool, (int)i);
        if (l->connection != NULL) wm_connection_close(l->connection, 1000);
        wm_buffer_close(&l->queue);
        wm_loop_withdraw(&l->reading);
        wm_inbox_free(l->inbox);
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        free(pool->nodes[i].url_text);
        free(pool->nodes[i].id);
        free(pool->nodes[i].lanes);
    }
    uv_close((uv_handle_t *)pool->check, free_timer);
    free(pool->nodes);
    free(pool);
}

void wm_node_pool_measure(wm_node_pool *pool, wm_connection_times times)
{
    pool->times = times;
}

/* The slot of a removed node, or one more than there are. */
static uint32_t free_slot(const wm_node_pool *pool)
{
    uint32_t slot = 0;
    while (slot < pool->count && pool->nodes[slot].is_there) slot++;
    return slot;
}

/* A slot with its lanes. */
static int add_slot(wm_node_pool *pool)
{
    uint32_t per_node = pool->options.connections_per_node;
    node *grown = realloc(pool->nodes, (pool->count + 1) * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    pool->nodes = grown;
    node n = {.lanes = calloc(per_node, sizeof *n.lanes)};
    if (n.lanes == NULL) return WM_ENOMEM;
    for (uint32_t i = 0; i < per_node; i++) {
        lane *l = &n.lanes[i];
        l->pool = pool;
        l->id = (int)(pool->count * per_node + i);
        l->reading = (wm_work){.piece = read_piece, .user = l};
    }
    pool->nodes[pool->count++] = n;
    return WM_OK;
}

int wm_node_pool_add(wm_node_pool *pool, const char *url)
{
    wm_url parsed;
    if (!wm_url_parse(url, "/ws", &parsed)) return WM_EINVAL;
    uint32_t slot = free_slot(pool);
    if (slot == pool->count && add_slot(pool) < 0) return WM_ENOMEM;
    char *url_text = strdup(url), *id = strdup("");
    if (url_text == NULL || id == NULL) {
        free(url_text);
        free(id);
        return WM_ENOMEM;
    }
    node *n = &pool->nodes[slot];
    n->url_text = url_text;
    n->id = id;
    n->url = parsed;
    n->is_there = true;
    for (uint32_t i = 0; i < pool->options.connections_per_node; i++) n->lanes[i].info = (wm_lane_info){0};
    return (int)slot;
}

void wm_node_pool_remove(wm_node_pool *pool, int slot)
{
    node *n = &pool->nodes[slot];
    free(n->url_text);
    free(n->id);
    n->url_text = n->id = NULL;
    n->is_there = false;
    for (uint32_t i = 0; i < pool->options.connections_per_node; i++) {
        lane *l = &n->lanes[i];
        wm_inbox_free(l->inbox);
        l->inbox = NULL;
        wm_buffer_close(&l->queue);
    }
}

uint32_t wm_node_pool_count(const wm_node_pool *pool)
{
    return pool->count;
}

uint32_t wm_node_pool_lanes(const wm_node_pool *pool)
{
    return pool->count * pool->options.connections_per_node;
}

const char *wm_node_pool_url(const wm_node_pool *pool, int slot)
{
    return pool->nodes[slot].is_there ? pool->nodes[slot].url_text : "";
}

const char *wm_node_pool_id(const wm_node_pool *pool, int slot)
{
    return pool->nodes[slot].is_there ? pool->nodes[slot].id : "";
}

int wm_node_pool_set_id(wm_node_pool *pool, int slot, const char *id)
{
    char *copy = strdup(id);
    if (copy == NULL) return WM_ENOMEM;
    free(pool->nodes[slot].id);
    pool->nodes[slot].id = copy;
    return WM_OK;
}

int wm_node_pool_slot_of(const wm_node_pool *pool, int id)
{
    return (int)((uint32_t)id / pool->options.connections_per_node);
}

int wm_node_pool_lane_of(const wm_node_pool *pool, int slot, uint32_t connection)
{
    return (int)((uint32_t)slot * pool->options.connections_per_node + connection);
}

int wm_node_pool_connect(wm_node_pool *pool, int id, const wm_addresses *addresses)
{
    lane *l = lane_at(pool, id);
    if (l->connection != NULL) return WM_OK;
    reset(l);
    l->info.dialect = WM_DIALECT_UNKNOWN;
    l->connection =
        wm_connection_open(pool->transport, &pool->nodes[wm_node_pool_slot_of(pool, id)].url, addresses, &connection_events, l);
    if (l->connection == NULL) return WM_ENOMEM;
    l->info.state = WM_LANE_CONNECTING;
    l->connecting_us = wm_now_us();
    return WM_OK;
}

void wm_node_pool_disconnect(wm_node_pool *pool, int id, int close_code)
{
    lane *l = lane_at(pool, id);
    if (l->connection == NULL) return;
    wm_connection_close(l->connection, close_code);
    reset(l);
}

void wm_node_pool_fail(wm_node_pool *pool, int id, wm_end_reason reason, const char *detail)
{
    fail(lane_at(pool, id), reason, detail);
}

/* The proxy of the environment could read the token, and it is there for other things. */
static void fail_for_onlooker(lane *l)
{
    char detail[512];
    snprintf(detail, sizeof detail,
             "%s would see the token: use wss://, or name the proxy by the option proxy, or the host by no_proxy",
             wm_connection_onlooker(l->connection));
    fail(l, WM_END_PROXY, detail);
}

int wm_node_pool_authenticate(wm_node_pool *pool, int id, const char *token, size_t len)
{
    lane *l = lane_at(pool, id);
    if (!l->token_wanted) return WM_EINVAL;
    if (wm_connection_onlooker(l->connection) != NULL) {
        fail_for_onlooker(l);
        return WM_OK;
    }
    wm_buffer b;
    wm_buffer_init(&b);
    wm_mp_write_map(&b, 2);
    wm_message_write_type(&b, WM_TYPE_AUTH);
    wm_mp_write_cstr(&b, "token");
    wm_mp_write_str(&b, token, len);
    int result = b.failed ? WM_ENOMEM : enqueue(l, b.data, b.len);
    wm_buffer_close(&b);
    if (result == WM_ENOMEM) fail(l, WM_END_LOCAL, "out of memory for the token"); /* it would wait for ever */
    if (result < 0) return result;
    l->token_wanted = false;
    l->token_sent_us = wm_now_us();
    return WM_OK;
}

int wm_node_pool_send(wm_node_pool *pool, int id, const uint8_t *message, size_t len)
{
    lane *l = lane_at(pool, id);
    if (l->info.state != WM_LANE_READY) return WM_EINVAL;
    return enqueue(l, message, len);
}

void wm_node_pool_trace(wm_node_pool *pool, bool on)
{
    pool->traced = on;
}

void wm_node_pool_want_batch(wm_node_pool *pool, int id)
{
    lane *l = lane_at(pool, id);
    if (l->info.state != WM_LANE_READY || l->batch_wanted) return;
    l->batch_wanted = true;
    wm_connection_want_write(l->connection);
}

void wm_node_pool_ask(wm_node_pool *pool, int id)
{
    lane *l = lane_at(pool, id);
    if (l->info.state == WM_LANE_READY) send_ping(l, wm_now_us());
}

bool wm_node_pool_is_behind(const wm_node_pool *pool, int id)
{
    return is_behind(lane_at(pool, id));
}

wm_lane_info wm_node_pool_lane(const wm_node_pool *pool, int id)
{
    return lane_at(pool, id)->info;
}
