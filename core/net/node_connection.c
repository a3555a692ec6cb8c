#include "net/node_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "net/inbox.h"

/* A server that has not asked for a token by then may want none: it is asked
 * with a PING (protocol, section 3). */
#define SILENT_OPEN_US 1000000u
#define MESSAGE_MAX (1024u * 1024u)
/* PONGs after which a server has not answered DEVICE_HELLO: that of the PING behind it may overtake the answer. */
#define PONGS_WITHOUT_ACK 2
/* Bytes that wait in a connection's inbox before its socket is not read any more. */
#define INBOX_ENOUGH (256u * 1024u)

struct wm_node_connection {
    const wm_node_connection_shared *shared;
    wm_connection *socket;
    wm_connection_info info;
    int id;
    bool first_seen; /* a message was received, which shows the dialect */
    bool token_wanted;
    uint64_t connecting_us;
    uint64_t opened_us;
    uint64_t token_sent_us;
    uint64_t ping_due_us;
    uint8_t pongs_left; /* until DEVICE_HELLO counts as not answered; 0: none was sent, or it is over */
    double ping_stamp;  /* what the PONG of the last PING must echo; -1: answered */
    double late_stamp;  /* that of the PING before, if it was not answered in time; -1: it was */
    uint64_t ping_sent_us;
    bool batch_wanted;
    bool batch_in_write; /* a batch is among the messages that are being written */
    wm_buffer queue;     /* waiting messages, each behind its u32 length */
    wm_inbox *inbox;     /* messages received after the deadline of an iteration and not read yet; NULL: never used */
    wm_work reading;     /* of the inbox */
    bool reading_paused;
};

typedef wm_node_connection connection;

const char *wm_dialect_name(wm_dialect d)
{
    static const char *const names[] = {"unknown", "0.11", "v2"};
    return names[d];
}

const char *wm_release_name(wm_release r)
{
    static const char *const names[] = {"unknown", "0.11", "2.2.0", "head"};
    return names[r];
}

static void count(wm_histogram *h, uint64_t from_us, uint64_t to_us)
{
    if (h != NULL && to_us >= from_us) wm_histogram_record(h, to_us - from_us);
}

/* -- sending ----------------------------------------------------------------------- */

static int enqueue(connection *c, const uint8_t *message, size_t len)
{
    if (len > MESSAGE_MAX) return WM_ESIZE;
    if (c->queue.len + len > c->shared->options.max_queued_bytes) return WM_EFULL;
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
    c->ping_due_us = now_us + c->shared->options.heartbeat_us;
    wm_mp_write_map(&b, 2);
    wm_message_write_type(&b, WM_TYPE_PING);
    wm_mp_write_cstr(&b, "timestamp");
    wm_mp_write_float64(&b, c->ping_stamp);
    if (!b.failed) enqueue(c, b.data, b.len);
    wm_buffer_close(&b);
}

static void send_hello(connection *c)
{
    wm_buffer b;
    wm_buffer_init(&b);
    wm_mp_write_map(&b, 1);
    wm_message_write_type(&b, WM_TYPE_DEVICE_HELLO);
    if (!b.failed) enqueue(c, b.data, b.len);
    wm_buffer_close(&b);
    c->pongs_left = PONGS_WITHOUT_ACK;
}

static void on_writable(void *user, wm_buffer *out)
{
    connection *c = user;
    size_t before = out->len;
    if (wm_loop_is_late(c->shared->loop)) {
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
        c->shared->events.batch(c->shared->user, c->id, out);
        if (out->len > before) c->batch_in_write = true;
    }
    size_t len = out->len - before;
    c->info.bytes_out += len;
    if (c->shared->traced && len > 0 && !out->failed)
        c->shared->events.traced(c->shared->user, c->id, out->data + before, len, true, false);
    if (c->queue.len > 0 || c->batch_wanted) wm_connection_want_write(c->socket);
}

static void on_written(void *user)
{
    connection *c = user;
    if (!c->batch_in_write) return;
    c->batch_in_write = false;
    c->shared->events.batch_written(c->shared->user, c->id);
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
    c->pongs_left = 0;
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
    c->shared->events.lost(c->shared->user, c->id, &loss);
}

void wm_node_connection_fail(connection *c, wm_end_reason reason, const char *detail)
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
    count(c->shared->times.auth, c->opened_us, now);
    if (c->info.release == WM_RELEASE_UNKNOWN) send_hello(c);
    send_ping(c, now);
    c->shared->events.ready(c->shared->user, c->id);
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

static void tell_release(connection *c, const wm_message *m)
{
    const uint8_t *device;
    size_t len;
    bool is_head = wm_mp_find(m->body, m->body_len, "deviceId", &device, &len) == WM_OK && device != NULL;
    if (c->info.dialect == WM_DIALECT_V2) c->info.release = is_head ? WM_RELEASE_HEAD : WM_RELEASE_2_2_0;
    c->pongs_left = 0;
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
        if (c->pongs_left > 0 && --c->pongs_left == 0) c->info.release = WM_RELEASE_2_2_0;
        count(c->shared->times.heartbeat, c->ping_sent_us, now);
    } else if (stamp == c->late_stamp) {
        c->late_stamp = -1;
    } else {
        c->shared->events.message(c->shared->user, c->id, m);
        if (c->socket == NULL) return;
    }
    /* A server that never asked for a token and answers needs none. */
    if (c->info.state == WM_CONNECTION_AUTHENTICATING && !c->token_wanted && c->token_sent_us == 0) become_ready(c);
}

static void on_auth_required(connection *c)
{
    if (c->info.state != WM_CONNECTION_AUTHENTICATING || c->token_wanted || c->token_sent_us != 0) return;
    c->token_wanted = true;
    c->shared->events.auth_required(c->shared->user, c->id);
}

static void on_auth_fail(connection *c, const wm_message *m)
{
    char text[128];
    text_field(m, "error", text, sizeof text);
    wm_node_connection_fail(c, WM_END_AUTH_FAILED, text);
}

static int on_message(void *user, const wm_message *m)
{
    connection *c = user;
    const wm_node_connection_shared *shared = c->shared;
    if (c->socket == NULL) return WM_OK; /* an earlier one of this envelope ended it */
    switch (m->type) {
    case WM_TYPE_PONG: on_pong(c, m); break;
    case WM_TYPE_AUTH_REQUIRED: on_auth_required(c); break;
    case WM_TYPE_AUTH_ACK:
        tell_release(c, m);
        if (c->info.state == WM_CONNECTION_AUTHENTICATING) become_ready(c);
        break;
    case WM_TYPE_AUTH_FAIL: on_auth_fail(c, m); break;
    case WM_TYPE_DEVICE_ACK:
        tell_release(c, m);
        shared->events.message(shared->user, c->id, m);
        break;
    default: shared->events.message(shared->user, c->id, m); break;
    }
    return WM_OK;
}

static void on_too_large(void *user, const uint8_t *description, size_t len)
{
    connection *c = user;
    if (c->socket != NULL) c->shared->events.too_large(c->shared->user, c->id, description, len);
}

static int on_map_event(void *user, const uint8_t *event, size_t len, const wm_message_cost *cost)
{
    connection *c = user;
    if (c->socket != NULL) c->shared->events.map_event(c->shared->user, c->id, event, len, cost);
    return WM_OK;
}

static void on_text(void *user, const uint8_t *bytes, size_t len)
{
    connection *c = user;
    c->shared->events.text(c->shared->user, c->id, bytes, len);
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
    if (result < 0) wm_node_connection_fail(c, WM_END_PROTOCOL, wm_message_error_text(result));
}

static void read_from_inbox(connection *c)
{
    int result = wm_inbox_read(c->inbox, &handlers, c);
    if (result < 0) wm_node_connection_fail(c, WM_END_PROTOCOL, wm_message_error_text(result));
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
    const wm_node_connection_shared *shared = c->shared;
    if (!wm_inbox_is_empty(c->inbox)) {
        if (!shared->events.wants_more(shared->user)) return WM_WORK_LATER;
        read_from_inbox(c);
        return WM_WORK_MORE;
    }
    pause_reading(c, false);
    return WM_WORK_DONE;
}

/* What the socket has beyond this waits there until the inbox is read. */
static void keep_for_later(connection *c, const uint8_t *message, size_t len, wm_letter_kind kind, wm_buffer *whole)
{
    const wm_node_connection_shared *shared = c->shared;
    if (c->inbox == NULL) c->inbox = wm_inbox_new();
    if (c->inbox == NULL || wm_inbox_put(c->inbox, message, len, kind, whole) < 0) {
        wm_node_connection_fail(c, WM_END_PROTOCOL, "out of memory for a message");
        return;
    }
    wm_loop_post(shared->loop, &c->reading);
    if (wm_inbox_bytes(c->inbox) > INBOX_ENOUGH) pause_reading(c, true);
    if (wm_loop_is_late(shared->loop)) shared->late(shared->pool);
}

/* In the order of arrival: now, or behind what waits. */
static void read_or_keep(connection *c, const uint8_t *message, size_t len, wm_letter_kind kind, wm_buffer *whole)
{
    if (wm_loop_is_bounded(c->shared->loop) || !wm_inbox_is_empty(c->inbox)) keep_for_later(c, message, len, kind, whole);
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
    if (c->shared->traced) c->shared->events.traced(c->shared->user, c->id, message, len, false, text);
    if (!text && !c->first_seen && len > 0) {
        c->first_seen = true;
        c->info.dialect = message[0] == 0xde ? WM_DIALECT_TS : WM_DIALECT_V2;
        if (c->info.dialect == WM_DIALECT_TS) c->info.release = WM_RELEASE_0_11;
    }
    read_or_keep(c, message, len, text ? WM_LETTER_TEXT : WM_LETTER_BINARY, whole);
}

static void on_opened(void *user, uint64_t tls_us)
{
    connection *c = user;
    c->info.state = WM_CONNECTION_AUTHENTICATING;
    c->opened_us = c->info.last_heard_us = wm_now_us();
    count(c->shared->times.connect, c->connecting_us, c->opened_us);
    if (tls_us > 0) count(c->shared->times.tls, 0, tls_us);
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

bool wm_node_connection_is_behind(const connection *c)
{
    return c->reading_paused || !wm_inbox_is_empty(c->inbox) || (c->socket != NULL && wm_connection_unread(c->socket) > 0);
}

size_t wm_node_connection_unread(const connection *c)
{
    if (c->socket == NULL) return 0;
    return wm_connection_unread(c->socket) + (c->inbox != NULL ? wm_inbox_bytes(c->inbox) : 0);
}

void wm_node_connection_check(connection *c, uint64_t now, uint64_t stalled_us)
{
    const wm_node_connection_options *o = &c->shared->options;
    if (c->info.state < WM_CONNECTION_AUTHENTICATING) return;
    c->info.last_heard_us += stalled_us;
    if (wm_node_connection_is_behind(c)) {
        c->info.last_heard_us = now;
        if (c->token_sent_us != 0) c->token_sent_us = now; /* the answer may be among what is not read yet */
    }
    if (c->token_sent_us != 0 && c->info.state == WM_CONNECTION_AUTHENTICATING && now - c->token_sent_us > o->auth_timeout_us) {
        wm_node_connection_fail(c, WM_END_AUTH_TIMEOUT, "");
        return;
    }
    if (now > c->info.last_heard_us && now - c->info.last_heard_us > o->heartbeat_timeout_us) {
        wm_node_connection_fail(c, WM_END_HEARTBEAT, "");
        return;
    }
    bool may_ping = c->info.state == WM_CONNECTION_READY || (!c->token_wanted && c->token_sent_us == 0);
    if (may_ping && now >= c->ping_due_us) send_ping(c, now);
}

/* -- the owner's calls ------------------------------------------------------------------- */

wm_node_connection *wm_node_connection_new(const wm_node_connection_shared *shared, int id)
{
    connection *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    c->shared = shared;
    c->id = id;
    c->reading = (wm_work){.piece = read_piece, .user = c};
    return c;
}

void wm_node_connection_free(connection *c)
{
    if (c == NULL) return;
    if (c->socket != NULL) wm_connection_close(c->socket, 1000);
    wm_buffer_close(&c->queue);
    wm_loop_withdraw(&c->reading);
    wm_inbox_free(c->inbox);
    free(c);
}

void wm_node_connection_clear(connection *c)
{
    wm_inbox_free(c->inbox);
    c->inbox = NULL;
    wm_buffer_close(&c->queue);
    c->info = (wm_connection_info){0};
}

int wm_node_connection_open(connection *c, const wm_url *url, const wm_addresses *addresses)
{
    if (c->socket != NULL) return WM_OK;
    reset(c);
    c->info.dialect = WM_DIALECT_UNKNOWN;
    c->info.release = WM_RELEASE_UNKNOWN;
    c->socket = wm_connection_open(c->shared->transport, url, addresses, &connection_events, c);
    if (c->socket == NULL) return WM_ENOMEM;
    c->info.state = WM_CONNECTION_CONNECTING;
    c->connecting_us = wm_now_us();
    return WM_OK;
}

void wm_node_connection_close(connection *c, int close_code)
{
    if (c->socket == NULL) return;
    wm_connection_close(c->socket, close_code);
    reset(c);
}

/* The proxy of the environment could read the token, and it is there for other things. */
static void fail_for_reading_proxy(connection *c)
{
    char detail[512];
    snprintf(detail, sizeof detail,
             "%s would see the token: use wss://, or name the proxy by the option proxy, or the host by no_proxy",
             wm_connection_reading_proxy(c->socket));
    wm_node_connection_fail(c, WM_END_PROXY, detail);
}

int wm_node_connection_authenticate(connection *c, const char *token, size_t len)
{
    if (!c->token_wanted) return WM_EINVAL;
    if (wm_connection_reading_proxy(c->socket) != NULL) {
        fail_for_reading_proxy(c);
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
    if (result == WM_ENOMEM) wm_node_connection_fail(c, WM_END_LOCAL, "out of memory for the token"); /* it would wait for ever */
    if (result < 0) return result;
    c->token_wanted = false;
    c->token_sent_us = wm_now_us();
    return WM_OK;
}

int wm_node_connection_send(connection *c, const uint8_t *message, size_t len)
{
    if (c->info.state != WM_CONNECTION_READY) return WM_EINVAL;
    return enqueue(c, message, len);
}

void wm_node_connection_want_batch(connection *c)
{
    if (c->info.state != WM_CONNECTION_READY || c->batch_wanted) return;
    c->batch_wanted = true;
    wm_connection_want_write(c->socket);
}

void wm_node_connection_ask(connection *c)
{
    if (c->info.state == WM_CONNECTION_READY) send_ping(c, wm_now_us());
}

void wm_node_connection_read_later(connection *c)
{
    if (c->socket == NULL) return;
    pause_reading(c, true);
    wm_loop_post(c->shared->loop, &c->reading);
}

wm_connection_info wm_node_connection_info(const connection *c)
{
    return c->info;
}
