#include "net/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "net/dial.h"
#include "wire/intake.h"
#include "wire/ws_frame.h"
#include "wire/ws_reader.h"

/* Bytes of one write, about: over loopback most of its cost is the system call and waking the other
 * side. */
#define WRITE_BYTES (256 * 1024)
/* Bytes of frames with which a write begins: one more message of usual size would still fit into it. */
#define GATHER_BYTES (WRITE_BYTES / 2)
/* Writes of one connection in a row. They take some 200 us, in which the other side answers the first. */
#define WRITES 4
/* Reads of one connection in a row, before other connections are read. */
#define READS 4
/* Unwritten bytes at which pings are not answered any more: the other side does not read. */
#define UNWRITTEN_PONGS (64 * 1024)
/* Bytes of an incomplete message that count as a sign of life. With fewer, a server that sends byte by
 * byte would keep a connection for ever. */
#define HEARD_BYTES (8 * 1024)
/* Bytes of a close frame's reason at most (RFC 6455, section 5.5). */
#define REASON_MAX 123

struct wm_transport {
    wm_loop *loop;
    size_t max_message;
    uint64_t connect_timeout_us;
    char *proxy; /* the option's copy */
    wm_tls_settings *tls;
    wm_buffer out; /* the frames that are being sent */
    wm_ws_masks masks;
};

/* Freed once its end was reported to the owner, or the owner has closed it, and none of its calls is on
 * the stack. */
struct wm_connection {
    wm_transport *transport;
    const wm_connection_events *events; /* NULL once ended */
    void *user;
    wm_dial *dial;       /* while the connection is being opened, else NULL */
    wm_channel *channel; /* while the connection is open, else NULL */
    wm_ws_reader reader;
    wm_intake *intake;   /* NULL until bytes were received */
    size_t unheard;      /* bytes of an incomplete message that were not reported as a sign of life */
    wm_buffer unwritten; /* the rest of the last write, and answers to pings */
    wm_work writing;     /* posted for the next write of the loop */
    wm_work reading;     /* for bytes that TLS holds, which make no socket readable */
    char *reading_proxy;
    int calls;                   /* calls of this connection on the stack */
    bool has_unwritten_messages; /* ... are in `unwritten` */
    bool gathering;              /* the callback `writable` is on the stack */
    bool wants_write;            /* ... and has more messages */
    bool reading_paused;
    bool broken; /* writing has failed: what is left to read may say why */
};

/* -- life ------------------------------------------------------------------------ */

static void begin_call(wm_connection *c)
{
    c->calls++;
}

static bool has_ended(const wm_connection *c)
{
    return c->events == NULL;
}

static void end_call(wm_connection *c)
{
    if (--c->calls > 0 || !has_ended(c)) return;
    wm_ws_reader_close(&c->reader);
    wm_intake_free(c->intake);
    wm_buffer_close(&c->unwritten);
    free(c->reading_proxy);
    free(c);
}

/* Closes the socket; with a close code, after a close frame. */
static void leave(wm_connection *c, int close_code, const uint8_t *payload, size_t len)
{
    uint8_t code[2] = {(uint8_t)(close_code >> 8), (uint8_t)close_code};
    c->events = NULL;
    wm_loop_withdraw(&c->writing);
    wm_loop_withdraw(&c->reading);
    if (c->dial != NULL) wm_dial_end(c->dial);
    c->dial = NULL;
    if (c->channel == NULL) return;
    bool in_order = close_code != 0 && !c->broken;
    if (in_order && payload == NULL) {
        payload = code;
        len = sizeof code;
    }
    in_order = in_order && wm_ws_control_frame(&c->transport->masks, &c->unwritten, WM_WS_CLOSE, payload, len);
    if (in_order) wm_channel_close_in_order(c->channel, &c->unwritten);
    else wm_channel_close(c->channel);
    c->channel = NULL;
}

/* Reports the end to the owner, once. `close_code` is sent in a close frame; 0: no frame. */
static void finish(wm_connection *c, int close_code, const wm_connection_end *end)
{
    if (has_ended(c)) return;
    const wm_connection_events *events = c->events;
    begin_call(c);
    leave(c, close_code, NULL, 0);
    events->ended(c->user, end);
    end_call(c);
}

static void finish_lost(wm_connection *c, ssize_t result)
{
    char detail[512];
    snprintf(detail, sizeof detail, "%s", result == 0 ? "" : wm_channel_problem(c->channel, result));
    wm_connection_end end = {result == -EPROTO ? WM_END_TLS : WM_END_LOST, 0, detail};
    finish(c, 0, &end);
}

/* -- writing ----------------------------------------------------------------------- */

static void watch(wm_connection *c)
{
    if (c->channel != NULL) wm_channel_watch(c->channel, !c->reading_paused, c->unwritten.len > 0 && !c->broken);
}

/* Reads what the socket still has before the end is reported: acknowledgements may be in it. */
static void break_off(wm_connection *c)
{
    c->broken = true;
    c->wants_write = false;
    wm_buffer_close(&c->unwritten);
    if (!c->reading_paused) wm_loop_post(c->transport->loop, &c->reading);
}

/* Writes bytes, and keeps what does not fit. False when writing has failed for good. */
static bool write_frames(wm_connection *c, const uint8_t *bytes, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = wm_channel_write(c->channel, bytes + done, len - done);
        if (n == -EAGAIN) break;
        if (n < 0) return false;
        done += (size_t)n;
    }
    wm_buffer_append(&c->unwritten, bytes + done, len - done);
    return !c->unwritten.failed;
}

static void tell_written(wm_connection *c)
{
    c->has_unwritten_messages = false;
    if (!has_ended(c)) c->events->written(c->user);
}

/* Writes the kept bytes; true once all are written. */
static bool flush(wm_connection *c)
{
    while (c->unwritten.len > 0) {
        ssize_t n = wm_channel_write(c->channel, c->unwritten.data, c->unwritten.len);
        if (n == -EAGAIN) return false;
        if (n < 0) {
            break_off(c);
            return false;
        }
        wm_buffer_consume(&c->unwritten, (size_t)n);
    }
    wm_buffer_close(&c->unwritten); /* it is seldom needed, and may have grown to some MB */
    if (c->has_unwritten_messages) tell_written(c);
    return true;
}

/* The owner's next messages as frames in `out`, as many as one write takes; false when
 * one could not be framed. */
static bool gather(wm_connection *c, wm_buffer *out)
{
    bool framed;
    c->gathering = true;
    do {
        size_t at = out->len;
        c->wants_write = false;
        framed = wm_buffer_reserve(out, WM_WS_HEADER_ROOM) != NULL;
        if (!framed) break;
        out->len += WM_WS_HEADER_ROOM;
        c->events->writable(c->user, out);
        if (out->len == at + WM_WS_HEADER_ROOM) { /* the owner has no messages now */
            out->len = at;
            break;
        }
        framed = !out->failed && wm_ws_frame(&c->transport->masks, out, at);
    } while (framed && !has_ended(c) && c->wants_write && out->len < GATHER_BYTES);
    c->gathering = false;
    return framed;
}

/* The owner's next messages, in one write. True when there may be more, and room. */
static bool send_next(wm_connection *c)
{
    wm_buffer *out = &c->transport->out;
    wm_buffer_clear(out);
    bool framed = gather(c, out);
    if (has_ended(c) || (framed && out->len == 0)) return false;
    wm_loop_note_activity(c->transport->loop);
    if (!framed || !write_frames(c, out->data, out->len)) {
        break_off(c); /* out of memory: the connection ends, and the owner learns of it */
        return false;
    }
    c->has_unwritten_messages = c->unwritten.len > 0;
    if (!c->has_unwritten_messages) tell_written(c);
    return !has_ended(c) && !c->has_unwritten_messages && c->wants_write;
}

/* Sends in a few writes; the next iteration sends the rest. */
static void send_some(wm_connection *c)
{
    int writes = 0;
    while (send_next(c) && ++writes < WRITES && !wm_loop_is_bounded(c->transport->loop)) {
    }
    if (has_ended(c)) return;
    if (c->wants_write && c->unwritten.len == 0) wm_loop_post_write(c->transport->loop, &c->writing);
    watch(c);
}

/* Writes without waiting for the socket to be writable: it nearly always is, and waiting costs four
 * system calls. */
static wm_work_state write_now(void *user)
{
    wm_connection *c = user;
    if (c->channel == NULL || c->broken || c->unwritten.len > 0) return WM_WORK_DONE;
    begin_call(c);
    send_some(c);
    end_call(c);
    return WM_WORK_DONE;
}

static void on_room(wm_connection *c)
{
    if (c->unwritten.len > 0 && flush(c) && !has_ended(c) && c->wants_write) send_some(c);
}

/* -- receiving ------------------------------------------------------------------- */

static wm_end_reason reason_of_close(int code, const char *words)
{
    switch (code) {
    case 1002: return strcmp(words, "Protocol Error") == 0 ? WM_END_BAD_FRAME : WM_END_CLOSED;
    case 1013: return WM_END_OVERLOADED;
    case 4001: return WM_END_AUTH_FAILED;
    default: return WM_END_CLOSED;
    }
}

/* The other side closes: answers with the same code, and reports the end. */
static void receive_close(wm_connection *c, const uint8_t *payload, size_t len)
{
    char words[REASON_MAX + 1];
    int code = wm_ws_close_code(payload, len);
    snprintf(words, sizeof words, "%.*s", len < 2 ? 0 : (int)(len - 2), len < 2 ? "" : (const char *)payload + 2);
    const wm_connection_events *events = c->events;
    void *user = c->user;
    leave(c, code, payload, len < 2 ? 0 : 2);
    wm_connection_end end = {reason_of_close(code, words), code, words};
    events->ended(user, &end);
}

static void receive_control(wm_connection *c)
{
    const wm_ws_reader *r = &c->reader;
    if (r->opcode == WM_WS_CLOSE) {
        receive_close(c, r->bytes, r->len);
    } else if (r->opcode == WM_WS_PING && !c->broken && c->unwritten.len < UNWRITTEN_PONGS) {
        if (wm_ws_control_frame(&c->transport->masks, &c->unwritten, WM_WS_PONG, r->bytes, r->len)) flush(c);
        else break_off(c);
    }
}

static void refuse(wm_connection *c, int code, const char *problem)
{
    wm_connection_end end = {WM_END_PROTOCOL, 0, problem};
    finish(c, code, &end);
}

/* Reports one message. The owner may end the connection in any callback; the other bytes are dropped
 * then. */
static int on_message(void *user, const uint8_t *bytes, size_t len, bool text, wm_buffer *whole)
{
    wm_connection *c = user;
    if (has_ended(c)) return WM_OK;
    if (text && !wm_utf8_valid(bytes, len)) refuse(c, WM_WS_CODE_TEXT, "a text message that is not UTF-8");
    else c->events->received(c->user, bytes, len, text, whole);
    return WM_OK;
}

static int on_too_large(void *user, const uint8_t *description, size_t len)
{
    wm_connection *c = user;
    if (!has_ended(c)) c->events->too_large(c->user, description, len);
    return WM_OK;
}

static const wm_intake_handlers intake_handlers = {on_message, on_too_large};

static void receive_piece(wm_connection *c)
{
    const wm_ws_reader *r = &c->reader;
    c->unheard += r->len;
    if (r->is_last || c->unheard >= HEARD_BYTES) {
        c->events->heard(c->user, c->unheard);
        c->unheard = 0;
    }
    if (c->intake == NULL) c->intake = wm_intake_new(c->transport->max_message, &intake_handlers, c);
    int rc = c->intake == NULL ? WM_ENOMEM
                               : wm_intake_put(c->intake, r->bytes, r->len, r->to_come, r->is_last, r->opcode == WM_WS_TEXT);
    if (rc < 0) refuse(c, WM_WS_CODE_PROTOCOL, rc == WM_ENOMEM ? "out of memory for a message" : wm_message_error_text(rc));
}

/* Bytes of the connection, as messages. */
static void receive(wm_connection *c, const uint8_t *bytes, size_t len)
{
    wm_ws_reader *r = &c->reader;
    const uint8_t *end = bytes + len;
    while (!has_ended(c)) {
        switch (wm_ws_reader_next(r, &bytes, end)) {
        case WM_WS_PIECE: receive_piece(c); break;
        case WM_WS_CONTROL: receive_control(c); break;
        case WM_WS_ERROR: refuse(c, r->close_code, r->problem); break;
        default: return; /* all bytes were read */
        }
    }
}

/* True when there is nothing more to read for now. */
static bool read_once(wm_connection *c)
{
    uint8_t *bytes = wm_loop_read_bytes(c->transport->loop);
    ssize_t n = bytes == NULL ? -ENOMEM : wm_channel_read(c->channel, bytes, WM_LOOP_READ_BYTES);
    if (n == -EAGAIN && !c->broken) return true;
    if (n <= 0) {
        finish_lost(c, n == -EAGAIN ? -EPIPE : n);
        return true;
    }
    wm_loop_note_activity(c->transport->loop);
    receive(c, bytes, (size_t)n);
    if (has_ended(c)) return true;
    return n < WM_LOOP_READ_BYTES && !wm_channel_has_pending(c->channel);
}

static void read_some(wm_connection *c)
{
    wm_loop *loop = c->transport->loop;
    int reads = 0;
    bool is_dry = false;
    while (!is_dry && !has_ended(c) && !c->reading_paused && reads++ < READS && !(reads > 1 && wm_loop_is_bounded(loop)))
        is_dry = read_once(c);
    /* Reads on with the bytes that TLS holds, which make no socket readable. */
    if (!has_ended(c) && !c->reading_paused && (c->broken || wm_channel_has_pending(c->channel))) wm_loop_post(loop, &c->reading);
}

static wm_work_state read_now(void *user)
{
    wm_connection *c = user;
    begin_call(c);
    read_some(c);
    watch(c);
    end_call(c);
    return WM_WORK_DONE;
}

/* The socket has bytes or room. */
static void on_ready(void *user)
{
    wm_connection *c = user;
    begin_call(c);
    on_room(c);
    if (!has_ended(c)) read_some(c);
    watch(c);
    end_call(c);
}

/* -- connecting ------------------------------------------------------------------ */

/* The name of the environment's proxy if it can read what is sent, else NULL. The caller frees it. */
static char *reading_proxy_of(const wm_dial *d, bool tls)
{
    const wm_proxy *proxy = wm_dial_proxy(d);
    char name[360];
    if (proxy == NULL || proxy->named_by == NULL || tls) return NULL;
    snprintf(name, sizeof name, "%s of %s", proxy->name, proxy->named_by);
    return strdup(name);
}

static void on_opened(void *user, wm_channel *channel, const uint8_t *early, size_t len, uint64_t tls_us)
{
    wm_connection *c = user;
    begin_call(c);
    c->reading_proxy = reading_proxy_of(c->dial, tls_us > 0);
    c->dial = NULL;
    c->channel = channel;
    wm_channel_pass_on(channel, on_ready, c);
    c->events->opened(c->user, tls_us);
    if (!has_ended(c)) receive(c, early, len);
    if (!has_ended(c)) read_some(c);
    watch(c);
    end_call(c);
}

static void on_failed(void *user, wm_end_reason reason, const char *detail)
{
    wm_connection *c = user;
    wm_connection_end end = {reason, 0, detail};
    c->dial = NULL;
    finish(c, 0, &end);
}

static const wm_dial_handlers dial_handlers = {on_opened, on_failed};

wm_connection *wm_connection_open(wm_transport *t, const wm_url *url, const wm_addresses *addresses,
                                  const wm_connection_events *events, void *user)
{
    wm_connection *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    wm_dial_target target = {url, addresses, t->proxy, t->tls, t->connect_timeout_us};
    c->transport = t;
    c->events = events;
    c->user = user;
    c->writing = (wm_work){.piece = write_now, .user = c};
    c->reading = (wm_work){.piece = read_now, .user = c};
    wm_ws_reader_init_client(&c->reader);
    c->dial = wm_dial_new(t->loop, &target, &dial_handlers, c);
    if (c->dial != NULL) return c;
    free(c);
    return NULL;
}

/* -- the owner's calls ------------------------------------------------------------- */

void wm_connection_want_write(wm_connection *c)
{
    if (c->channel == NULL || has_ended(c) || c->broken) return;
    wm_loop_note_activity(c->transport->loop);
    c->wants_write = true;
    if (!c->gathering) wm_loop_post_write(c->transport->loop, &c->writing);
}

void wm_connection_pause_reading(wm_connection *c, bool paused)
{
    if (c->channel == NULL || has_ended(c)) return;
    c->reading_paused = paused;
    watch(c);
    if (!paused && (c->broken || wm_channel_has_pending(c->channel))) wm_loop_post(c->transport->loop, &c->reading);
}

size_t wm_connection_unread(const wm_connection *c)
{
    return c->channel != NULL && !has_ended(c) ? wm_channel_unread(c->channel) : 0;
}

const char *wm_connection_reading_proxy(const wm_connection *c)
{
    return c->reading_proxy;
}

void wm_connection_close(wm_connection *c, int close_code)
{
    if (has_ended(c)) return;
    wm_loop_note_activity(c->transport->loop);
    begin_call(c);
    leave(c, close_code, NULL, 0);
    end_call(c);
}

/* -- transport ------------------------------------------------------------------- */

wm_transport *wm_transport_new(wm_loop *loop, const wm_transport_options *options, char *error, size_t size)
{
    wm_transport *t = calloc(1, sizeof *t);
    snprintf(error, size, "out of memory");
    if (t == NULL) return NULL;
    t->loop = loop;
    t->max_message = options->max_message;
    t->connect_timeout_us = options->connect_timeout_us;
    wm_buffer_init(&t->out);
    bool copied = true;
    if (options->proxy != NULL) copied = (t->proxy = strdup(options->proxy)) != NULL;
    if (copied) t->tls = wm_tls_settings_new(&options->tls, options->tls_verify, error, size);
    if (t->tls != NULL) return t;
    wm_transport_free(t);
    return NULL;
}

void wm_transport_free(wm_transport *t)
{
    if (t == NULL) return;
    wm_tls_settings_free(t->tls);
    wm_buffer_close(&t->out);
    free(t->proxy);
    free(t);
}
