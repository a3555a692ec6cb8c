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
/* Bytes that wait in a connection's inbox before its socket is not read any more. */
#define INBOX_ENOUGH (256u * 1024u)

typedef struct connection {
    wm_node_pool *pool;
    wm_connection *socket;
    wm_connection_info info;
    int id;
    bool first_seen; /* the first message told the dialect */
    bool token_wanted;
    uint64_t connecting_us;
    uint64_t opened_us;
    uint64_t token_sent_us;
    uint64_t ping_due_us;
    double ping_stamp; /* what the PONG of the last PING must echo; -1: answered */
    double late_stamp; /* that of the PING before, if it was not answered in time; -1: it was */
    uint64_t ping_sent_us;
    bool batch_wanted;
    bool batch_in_write; /* a batch is among the messages that are being written */
    wm_buffer queue;     /* waiting messages, each behind its u32 length */
    wm_inbox *inbox;     /* messages received after the deadline of an iteration and not read yet; NULL: never used */
    wm_work reading;     /* of the inbox */
    bool reading_paused;
} connection;

typedef struct node {
    char *url_text;
    wm_url url;
    char *id;
    connection *connections;
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

static connection *connection_at(const wm_node_pool *pool, int id)
{
    uint32_t per_node = pool->options.connections_per_node;
    return &pool->nodes[(uint32_t)id / per_node].connections[(uint32_t)id % per_node];
}

static void count(wm_histogram *h, uint64_t from_us, uint64_t to_us)
{
    if (h != NULL && to_us >= from_us) wm_histogram_record(h, to_us - from_us);
}

/* -- sending ----------------------------------------------------------------------- */

static int enqueue(connection *c, const uint8_t *message, size_t len)
{
    if (len > MESSAGE_MAX) return WM_ESIZE;
    if (c->queue.len + len > c->pool->options.max_queued_bytes) return WM_EFULL;
    uint32_t size = (uint32_t)len;
    if (wm_buffer_reserve(&c->queue, len + sizeof size) == NULL) return WM_ENOMEM;
    wm_buffer_append(&c->queue, &size, sizeof size);
    wm_buffer_append(&c->queue, message, len);
    wm_connection_want_write(c->socket);
    return WM_OK;
}

static void send_ping(connection *c, uint64_t now_us)
{
    wm_buffer b;
    wm_buffer_init(&b);
    c->late_stamp = c->ping_stamp;
    c->ping_stamp = (double)wm_wall_ms();
    c->ping_sent_us = now_us;
    c->ping_due_us = now_us + c->pool->options.heartbeat_us;
    wm_mp_write_map(&b, 2);
    wm_message_write_type(&b, WM_TYPE_PING);
    wm_mp_write_cstr(&b, "timestamp");
    wm_mp_write_float64(&b, c->ping_stamp);
    if (!b.failed) enqueue(c, b.data, b.len);
    wm_buffer_close(&b);
}

static void on_writable(void *user, wm_buffer *out)
{
    connection *c = user;
    size_t before = out->len;
    if (wm_loop_is_late(c->pool->loop)) {
        wm_connection_want_write(c->socket);
        return;
    }
    if (c->queue.len > 0) {
        uint32_t size;
        memcpy(&size, c->queue.data, sizeof size);
        wm_buffer_append(out, c->queue.data + sizeof size, size);
        wm_buffer_consume(&c->queue, sizeof size + size);
        if (c->queue.len == 0) wm_buffer_close(&c->queue); /* next comes a PING, seconds later */
    } else if (c->batch_wanted && c->info.state == WM_CONNECTION_READY) {
        c->batch_wanted = false;
        c->pool->events.batch(c->pool->user, c->id, out);
        if (out->len > before) c->batch_in_write = true;
    }
    size_t len = out->len - before;
    c->info.bytes_out += len;
    if (c->pool->traced && len > 0 && !out->failed)
        c->pool->events.traced(c->pool->user, c->id, out->data + before, len, true, false);
    if (c->queue.len > 0 || c->batch_wanted) wm_connection_want_write(c->socket);
}

static void on_written(void *user)
{
    connection *c = user;
    if (!c->batch_in_write) return;
    c->batch_in_write = false;
    c->pool->events.batch_written(c->pool->user, c->id);
}

/* -- life of a connection ------------------------------------------------------------------ */

static void reset(connection *c)
{
    c->socket = NULL;
    c->info.state = WM_CONNECTION_IDLE;
    c->info.connected_at_us = 0;
    c->info.rtt_us = c->info.answered_us = 0;
    c->first_seen = c->token_wanted = c->batch_wanted = c->batch_in_write = false;
    c->token_sent_us = 0;
    c->ping_stamp = c->late_stamp = -1;
    wm_buffer_clear(&c->queue);
    wm_inbox_clear(c->inbox);
    wm_loop_withdraw(&c->reading);
    c->reading_paused = false;
}

static void report_lost(connection *c, wm_end_reason reason, int code, const char *detail)
{
    wm_connection_loss loss = {reason, code, detail, c->info.state == WM_CONNECTION_READY, c->info.rtt_us != 0};
    reset(c);
    c->pool->events.lost(c->pool->user, c->id, &loss);
}

static void fail(connection *c, wm_end_reason reason, const char *detail)
{
    if (c->socket == NULL) return;
    char kept[512]; /* `detail` may point into the message that is being read */
    size_t len = strlen(detail);
    if (len >= sizeof kept) len = sizeof kept - 1;
    memcpy(kept, detail, len);
    kept[len] = 0;
    wm_connection_close(c->socket, reason == WM_END_HEARTBEAT ? 0 : 1000);
    report_lost(c, reason, 0, kept);
}

static void become_ready(connection *c)
{
    if (c->info.state == WM_CONNECTION_READY) return;
    uint64_t now = wm_now_us();
    c->info.state = WM_CONNECTION_READY;
    c->info.connected_at_us = now;
    c->info.connects++;
    count(c->pool->times.auth, c->opened_us, now);
    send_ping(c, now);
    c->pool->events.ready(c->pool->user, c->id);
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

/* The time that a PONG echoes; -2 when it has none. */
static double echoed_stamp(const wm_message *m)
{
    const uint8_t *bytes;
    size_t len;
    wm_mp_reader r;
    wm_mp_item it;
    uint64_t echoed;
    if (wm_mp_find(m->body, m->body_len, "timestamp", &bytes, &len) < 0 || bytes == NULL) return -2;
    wm_mp_reader_init(&r, bytes, len);
    return wm_mp_read(&r, &it) >= 0 && wm_mp_as_uint(&it, &echoed) ? (double)echoed : -2;
}

/* A PONG that answers no PING of the heartbeat answers one of the script's: it is a message like
 * any other. */
static void on_pong(connection *c, const wm_message *m)
{
    double stamp = echoed_stamp(m);
    if (stamp == c->ping_stamp) {
        uint64_t now = wm_now_us();
        c->info.rtt_us = now - c->ping_sent_us;
        c->info.answered_us = c->ping_sent_us;
        c->ping_stamp = -1;
        count(c->pool->times.heartbeat, c->ping_sent_us, now);
    } else if (stamp == c->late_stamp) {
        c->late_stamp = -1;
    } else {
        c->pool->events.message(c->pool->user, c->id, m);
        if (c->socket == NULL) return;
    }
    /* A server that never asked for a token and answers needs none. */
    if (c->info.state == WM_CONNECTION_AUTHENTICATING && !c->token_wanted && c->token_sent_us == 0) become_ready(c);
}

static void on_auth_required(connection *c)
{
    if (c->info.state != WM_CONNECTION_AUTHENTICATING || c->token_wanted || c->token_sent_us != 0) return;
    c->token_wanted = true;
    c->pool->events.auth_required(c->pool->user, c->id);
}

static void on_auth_fail(connection *c, const wm_message *m)
{
    char text[128];
    text_field(m, "error", text, sizeof text);
    fail(c, WM_END_AUTH_FAILED, text);
}

static int on_message(void *user, const wm_message *m)
{
    connection *c = user;
    wm_node_pool *pool = c->pool;
    if (c->socket == NULL) return WM_OK; /* an earlier one of this envelope ended it */
    switch (m->type) {
    case WM_TYPE_PONG: on_pong(c, m); break;
    case WM_TYPE_AUTH_REQUIRED: on_auth_required(c); break;
    case WM_TYPE_AUTH_ACK:
        if (c->info.state == WM_CONNECTION_AUTHENTICATING) become_ready(c);
        break;
    case WM_TYPE_AUTH_FAIL: on_auth_fail(c, m); break;
    default: pool->events.message(pool->user, c->id, m); break;
    }
    return WM_OK;
}

static void on_too_large(void *user, const uint8_t *description, size_t len)
{
    connection *c = user;
    if (c->socket != NULL) c->pool->events.too_large(c->pool->user, c->id, description, len);
}

static int on_map_event(void *user, const uint8_t *event, size_t len, const wm_message_cost *cost)
{
    connection *c = user;
    if (c->socket != NULL) c->pool->events.map_event(c->pool->user, c->id, event, len, cost);
    return WM_OK;
}

static void on_text(void *user, const uint8_t *bytes, size_t len)
{
    connection *c = user;
    c->pool->events.text(c->pool->user, c->id, bytes, len);
}

static const wm_inbox_handlers handlers = {{on_message, on_map_event}, on_text, on_too_large};

static void read_now(connection *c, const uint8_t *message, size_t len, wm_letter_kind kind)
{
    if (kind != WM_LETTER_BINARY) {
        (kind == WM_LETTER_TEXT ? on_text : on_too_large)(c, message, len);
        return;
    }
    wm_frame_reader reader;
    int result = WM_OK;
    wm_frame_reader_open(&reader, message, len, NULL);
    while (result == WM_OK && wm_frame_reader_busy(&reader))
        result = wm_frame_reader_next(&reader, &handlers.frames, c);
    if (result < 0) fail(c, WM_END_PROTOCOL, wm_message_error_text(result));
}

static void read_from_inbox(connection *c)
{
    int result = wm_inbox_read(c->inbox, &handlers, c);
    if (result < 0) fail(c, WM_END_PROTOCOL, wm_message_error_text(result));
}

static void pause_reading(connection *c, bool paused)
{
    if (c->socket == NULL || c->reading_paused == paused) return;
    c->reading_paused = paused;
    wm_connection_pause_reading(c->socket, paused);
}

static wm_work_state read_piece(void *user)
{
    connection *c = user;
    wm_node_pool *pool = c->pool;
    if (!wm_inbox_is_empty(c->inbox)) {
        if (!pool->events.wants_more(pool->user)) return WM_WORK_LATER;
        read_from_inbox(c);
        return WM_WORK_MORE;
    }
    pause_reading(c, false);
    return WM_WORK_DONE;
}

/* What the socket has beyond this waits there until the inbox is read. */
static void keep_for_later(connection *c, const uint8_t *message, size_t len, wm_letter_kind kind, wm_buffer *whole)
{
    wm_node_pool *pool = c->pool;
    if (c->inbox == NULL) c->inbox = wm_inbox_new();
    if (c->inbox == NULL || wm_inbox_put(c->inbox, message, len, kind, whole) < 0) {
        fail(c, WM_END_PROTOCOL, "out of memory for a message");
        return;
    }
    wm_loop_post(pool->loop, &c->reading);
    if (wm_inbox_bytes(c->inbox) > INBOX_ENOUGH) pause_reading(c, true);
    if (!wm_loop_is_late(pool->loop)) return;
    uint32_t connections = wm_node_pool_connections(pool);
    for (uint32_t i = 0; i < connections; i++) {
        connection *other = connection_at(pool, (int)i);
        if (other->socket == NULL) continue;
        pause_reading(other, true);
        wm_loop_post(pool->loop, &other->reading);
    }
}

/* In the order of arrival: now, or behind what waits. */
static void read_or_keep(connection *c, const uint8_t *message, size_t len, wm_letter_kind kind, wm_buffer *whole)
{
    if (wm_loop_is_bounded(c->pool->loop) || !wm_inbox_is_empty(c->inbox)) keep_for_later(c, message, len, kind, whole);
    else read_now(c, message, len, kind);
}

static void on_heard(void *user, size_t len)
{
    connection *c = user;
    c->info.last_heard_us = wm_now_us();
    c->info.bytes_in += len;
}

static void on_passed_by(void *user, const uint8_t *description, size_t len)
{
    wm_buffer none;
    wm_buffer_init(&none);
    read_or_keep(user, description, len, WM_LETTER_TOO_LARGE, &none);
}

static void on_received(void *user, const uint8_t *message, size_t len, bool text, wm_buffer *whole)
{
    connection *c = user;
    if (c->pool->traced) c->pool->events.traced(c->pool->user, c->id, message, len, false, text);
    if (!text && !c->first_seen && len > 0) {
        c->first_seen = true;
        c->info.dialect = message[0] == 0xde ? WM_DIALECT_TS : WM_DIALECT_V2;
    }
    read_or_keep(c, message, len, text ? WM_LETTER_TEXT : WM_LETTER_BINARY, whole);
}

static void on_opened(void *user, uint64_t tls_us)
{
    connection *c = user;
    c->info.state = WM_CONNECTION_AUTHENTICATING;
    c->opened_us = c->info.last_heard_us = wm_now_us();
    count(c->pool->times.connect, c->connecting_us, c->opened_us);
    if (tls_us > 0) count(c->pool->times.tls, 0, tls_us);
    c->ping_due_us = c->opened_us + SILENT_OPEN_US;
}

static void on_ended(void *user, const wm_connection_end *end)
{
    connection *c = user;
    /* What was received before the end counts. */
    while (c->socket != NULL && !wm_inbox_is_empty(c->inbox)) read_from_inbox(c);
    if (c->socket != NULL) report_lost(c, end->reason, end->close_code, end->detail);
}

static const wm_connection_events connection_events = {
    on_opened,
    on_received,
    on_passed_by,
    on_heard,
    on_writable,
    on_written,
    on_ended,
};

/* -- time ------------------------------------------------------------------------------ */

static bool is_behind(const connection *c)
{
    return c->reading_paused || !wm_inbox_is_empty(c->inbox);
}

static void check_connection(connection *c, uint64_t now, uint64_t stalled_us)
{
    const wm_node_pool_options *o = &c->pool->options;
    if (c->info.state < WM_CONNECTION_AUTHENTICATING) return;
    c->info.last_heard_us += stalled_us;
    if (is_behind(c)) c->info.last_heard_us = now;
    if (c->token_sent_us != 0 && c->info.state == WM_CONNECTION_AUTHENTICATING && now - c->token_sent_us > o->auth_timeout_us) {
        fail(c, WM_END_AUTH_TIMEOUT, "");
        return;
    }
    if (now > c->info.last_heard_us && now - c->info.last_heard_us > o->heartbeat_timeout_us) {
        fail(c, WM_END_HEARTBEAT, "");
        return;
    }
    bool may_ping = c->info.state == WM_CONNECTION_READY || (!c->token_wanted && c->token_sent_us == 0);
    if (may_ping && now >= c->ping_due_us) send_ping(c, now);
}

static void on_check(uv_timer_t *timer)
{
    wm_node_pool *pool = timer->data;
    uint64_t now = wm_now_us();
    uint64_t since = now - pool->checked_us;
    uint64_t stalled_us = since > STALL_US ? since : 0;
    pool->checked_us = now;
    uint32_t connections = wm_node_pool_connections(pool);
    for (uint32_t i = 0; i < connections; i++) check_connection(connection_at(pool, (int)i), now, stalled_us);
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
    for (uint32_t i = 0; i < wm_node_pool_connections(pool); i++) {
        connection *c = connection_at(pool, (int)i);
        if (c->socket != NULL) wm_connection_close(c->socket, 1000);
        wm_buffer_close(&c->queue);
        wm_loop_withdraw(&c->reading);
        wm_inbox_free(c->inbox);
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        free(pool->nodes[i].url_text);
        free(pool->nodes[i].id);
        free(pool->nodes[i].connections);
    }
    uv_close((uv_handle_t *)pool->check, free_timer);
    free(pool->nodes);
    free(pool);
}

void wm_node_pool_measure(wm_node_pool *pool, wm_connection_times times)
{
    pool->times = times;
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
    uint32_t per_node = pool->options.connections_per_node;
    node *grown = realloc(pool->nodes, (pool->count + 1) * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    pool->nodes = grown;
    node n = {.connections = calloc(per_node, sizeof *n.connections)};
    if (n.connections == NULL) return WM_ENOMEM;
    for (uint32_t i = 0; i < per_node; i++) {
        connection *c = &n.connections[i];
        c->pool = pool;
        c->id = (int)(pool->count * per_node + i);
        c->reading = (wm_work){.piece = read_piece, .user = c};
    }
    pool->nodes[pool->count++] = n;
    return WM_OK;
}

int wm_node_pool_add(wm_node_pool *pool, const char *url)
{
    wm_url parsed;
    if (!wm_url_parse(url, "/ws", &parsed)) return WM_EINVAL;
    uint32_t node_index = free_index(pool);
    if (node_index == pool->count && grow(pool) < 0) return WM_ENOMEM;
    char *url_text = strdup(url), *id = strdup("");
    if (url_text == NULL || id == NULL) {
        free(url_text);
        free(id);
        return WM_ENOMEM;
    }
    node *n = &pool->nodes[node_index];
    n->url_text = url_text;
    n->id = id;
    n->url = parsed;
    n->is_there = true;
    for (uint32_t i = 0; i < pool->options.connections_per_node; i++) n->connections[i].info = (wm_connection_info){0};
    return (int)node_index;
}

void wm_node_pool_remove(wm_node_pool *pool, int node_index)
{
    node *n = &pool->nodes[node_index];
    free(n->url_text);
    free(n->id);
    n->url_text = n->id = NULL;
    n->is_there = false;
    for (uint32_t i = 0; i < pool->options.connections_per_node; i++) {
        connection *c = &n->connections[i];
        wm_inbox_free(c->inbox);
        c->inbox = NULL;
        wm_buffer_close(&c->queue);
    }
}

uint32_t wm_node_pool_count(const wm_node_pool *pool)
{
    return pool->count;
}

uint32_t wm_node_pool_connections(const wm_node_pool *pool)
{
    return pool->count * pool->options.connections_per_node;
}

const char *wm_node_pool_url(const wm_node_pool *pool, int node_index)
{
    return pool->nodes[node_index].is_there ? pool->nodes[node_index].url_text : "";
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
    return (int)((uint32_t)id / pool->options.connections_per_node);
}

int wm_node_pool_connection_of(const wm_node_pool *pool, int node_index, uint32_t ordinal)
{
    return (int)((uint32_t)node_index * pool->options.connections_per_node + ordinal);
}

int wm_node_pool_connect(wm_node_pool *pool, int id, const wm_addresses *addresses)
{
    connection *c = connection_at(pool, id);
    if (c->socket != NULL) return WM_OK;
    reset(c);
    c->info.dialect = WM_DIALECT_UNKNOWN;
    c->socket =
        wm_connection_open(pool->transport, &pool->nodes[wm_node_pool_node_of(pool, id)].url, addresses, &connection_events, c);
    if (c->socket == NULL) return WM_ENOMEM;
    c->info.state = WM_CONNECTION_CONNECTING;
    c->connecting_us = wm_now_us();
    return WM_OK;
}

void wm_node_pool_disconnect(wm_node_pool *pool, int id, int close_code)
{
    connection *c = connection_at(pool, id);
    if (c->socket == NULL) return;
    wm_connection_close(c->socket, close_code);
    reset(c);
}

void wm_node_pool_fail(wm_node_pool *pool, int id, wm_end_reason reason, const char *detail)
{
    fail(connection_at(pool, id), reason, detail);
}

/* The proxy of the environment could read the token, and it is there for other things. */
static void fail_for_onlooker(connection *c)
{
    char detail[512];
    snprintf(detail, sizeof detail,
             "%s would see the token: use wss://, or name the proxy by the option proxy, or the host by no_proxy",
             wm_connection_onlooker(c->socket));
    fail(c, WM_END_PROXY, detail);
}

int wm_node_pool_authenticate(wm_node_pool *pool, int id, const char *token, size_t len)
{
    connection *c = connection_at(pool, id);
    if (!c->token_wanted) return WM_EINVAL;
    if (wm_connection_onlooker(c->socket) != NULL) {
        fail_for_onlooker(c);
        return WM_OK;
    }
    wm_buffer b;
    wm_buffer_init(&b);
    wm_mp_write_map(&b, 2);
    wm_message_write_type(&b, WM_TYPE_AUTH);
    wm_mp_write_cstr(&b, "token");
    wm_mp_write_str(&b, token, len);
    int result = b.failed ? WM_ENOMEM : enqueue(c, b.data, b.len);
    wm_buffer_close(&b);
    if (result == WM_ENOMEM) fail(c, WM_END_LOCAL, "out of memory for the token"); /* it would wait for ever */
    if (result < 0) return result;
    c->token_wanted = false;
    c->token_sent_us = wm_now_us();
    return WM_OK;
}

int wm_node_pool_send(wm_node_pool *pool, int id, const uint8_t *message, size_t len)
{
    connection *c = connection_at(pool, id);
    if (c->info.state != WM_CONNECTION_READY) return WM_EINVAL;
    return enqueue(c, message, len);
}

void wm_node_pool_trace(wm_node_pool *pool, bool on)
{
    pool->traced = on;
}

void wm_node_pool_want_batch(wm_node_pool *pool, int id)
{
    connection *c = connection_at(pool, id);
    if (c->info.state != WM_CONNECTION_READY || c->batch_wanted) return;
    c->batch_wanted = true;
    wm_connection_want_write(c->socket);
}

void wm_node_pool_ask(wm_node_pool *pool, int id)
{
    connection *c = connection_at(pool, id);
    if (c->info.state == WM_CONNECTION_READY) send_ping(c, wm_now_us());
}

bool wm_node_pool_is_behind(const wm_node_pool *pool, int id)
{
    return is_behind(connection_at(pool, id));
}

wm_connection_info wm_node_pool_connection(const wm_node_pool *pool, int id)
{
    return connection_at(pool, id)->info;
}
