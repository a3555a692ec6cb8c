#include "sim/server/socket.h"

#include <stdlib.h>
#include <string.h>

#include "sim/server/dispatch.h"
#include "sim/session/dialect.h"
#include "sim/session/session.h"
#include "sim/wire/alloc.h"
#include "sim/wire/websocket.h"
#include "wire/ws_reader.h"

#define READ_BYTES 65536
#define CLOSE_WAIT_MS 1000 /* for the other side's close frame, then the socket is closed all the same */

typedef enum socket_state {
    STATE_UPGRADE, /* waiting for the request head */
    STATE_OPEN,
    STATE_CLOSING,   /* a close frame was sent */
    STATE_FINISHED,  /* nothing is read or queued any more; what was written still leaves */
    STATE_ABANDONED, /* half-open: what arrives is thrown away, and nothing is said about it */
    STATE_DEAD,
} socket_state;

struct sim_socket {
    uv_tcp_t tcp;
    uv_write_t write;
    sim_node *node;
    sim_session *session; /* NULL before the upgrade and after the end */
    sim_socket *next;
    sim_socket *prev;
    sim_socket *next_dirty;
    socket_state state;
    bool dirty;
    bool writing;
    wm_buffer head; /* of the upgrade request */
    wm_buffer out;
    wm_buffer in_flight; /* being written */
    wm_ws_reader reader;
    sim_delays delays;
};

static void on_closed(uv_handle_t *handle)
{
    sim_socket *k = handle->data;
    wm_ws_reader_close(&k->reader);
    wm_buffer_close(&k->head);
    wm_buffer_close(&k->out);
    wm_buffer_close(&k->in_flight);
    free(k);
}

static void forget_dirty(sim_socket *k)
{
    sim_socket **at = &k->node->cluster->dirty;
    while (k->dirty && *at != k) at = &(*at)->next_dirty;
    if (k->dirty) *at = k->next_dirty;
    k->dirty = false;
}

/* The end of every socket. `k` is freed after this turn of the loop. */
static void end(sim_socket *k, bool reset)
{
    if (k->state == STATE_DEAD) return;
    k->state = STATE_DEAD;
    forget_dirty(k);
    if (k->prev != NULL) k->prev->next = k->next;
    else k->node->sockets = k->next;
    if (k->next != NULL) k->next->prev = k->prev;
    sim_delays_cancel(&k->delays);
    if (k->session != NULL) sim_session_end(k->session);
    k->session = NULL;
    if (!reset || uv_tcp_close_reset(&k->tcp, on_closed) != 0) uv_close((uv_handle_t *)&k->tcp, on_closed);
}

static void end_late(void *owner, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    (void)len;
    end(owner, false);
}

/* -- writing -- */

static void mark_dirty(sim_socket *k)
{
    if (k->dirty) return;
    k->dirty = true;
    k->next_dirty = k->node->cluster->dirty;
    k->node->cluster->dirty = k;
}

static void write_out(sim_socket *k);

static void on_written(uv_write_t *request, int status)
{
    sim_socket *k = request->handle->data;
    k->writing = false;
    wm_buffer_clear(&k->in_flight);
    if (k->state == STATE_DEAD) return;
    if (status < 0) end(k, false);
    else write_out(k);
}

static void write_out(sim_socket *k)
{
    if (k->writing || k->node->paused) return;
    if (k->out.len > 0) {
        uv_buf_t buf = uv_buf_init((char *)k->out.data, (unsigned)k->out.len);
        int n = uv_try_write((uv_stream_t *)&k->tcp, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            end(k, false);
            return;
        }
        if (n == (int)k->out.len) wm_buffer_clear(&k->out);
        else if (n > 0) wm_buffer_consume(&k->out, (size_t)n);
    }
    if (k->out.len > 0) {
        wm_buffer swap = k->in_flight;
        k->in_flight = k->out;
        k->out = swap;
        uv_buf_t buf = uv_buf_init((char *)k->in_flight.data, (unsigned)k->in_flight.len);
        k->writing = true;
        if (uv_write(&k->write, (uv_stream_t *)&k->tcp, &buf, 1, on_written) != 0) {
            k->writing = false;
            end(k, false);
        }
        return;
    }
    if (k->session != NULL) sim_session_emptied(k->session);
    if (k->state == STATE_FINISHED) end(k, false);
}

void sim_sockets_flush(sim_cluster *c)
{
    while (c->dirty != NULL) {
        sim_socket *k = c->dirty;
        c->dirty = k->next_dirty;
        k->dirty = false;
        write_out(k);
    }
}

/* What was written leaves, then the connection ends. */
static void finish(sim_socket *k)
{
    k->state = STATE_FINISHED;
    mark_dirty(k);
}

/* Counts bytes for the fault `cut-out`; whether it falls into a frame of `len`. */
static bool is_cut_out(sim_faults *f, size_t len)
{
    if (!f->cut_out) return false;
    f->cut_out = len < f->cut_out_left;
    if (f->cut_out) f->cut_out_left -= len;
    return !f->cut_out;
}

static void put_frame(sim_socket *k, int opcode, const uint8_t *bytes, size_t len)
{
    uint8_t header[10];
    if (k->node->faults.mute) return;
    size_t before = k->out.len;
    wm_buffer_append(&k->out, header, sim_ws_header(header, opcode, len));
    wm_buffer_append(&k->out, bytes, len);
    if (is_cut_out(&k->node->faults, k->out.len - before)) {
        k->out.len = before + (size_t)k->node->faults.cut_out_left;
        finish(k);
    }
    mark_dirty(k);
}

static void put_close(sim_socket *k, int code, const char *reason)
{
    uint8_t payload[125] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t len = strlen(reason);
    if (len > sizeof payload - 2) len = sizeof payload - 2;
    memcpy(payload + 2, reason, len);
    put_frame(k, WM_WS_CLOSE, payload, code != 0 ? len + 2 : 0);
}

static void transport_frame(void *transport, bool text, const uint8_t *bytes, size_t len)
{
    sim_socket *k = transport;
    if (k->state == STATE_OPEN) put_frame(k, text ? WM_WS_TEXT : WM_WS_BINARY, bytes, len);
}

static void transport_close(void *transport, int code, const char *reason)
{
    sim_socket *k = transport;
    if (k->state != STATE_OPEN) return;
    put_close(k, code, reason);
    k->state = STATE_CLOSING;
    sim_delay_call(&k->delays, CLOSE_WAIT_MS, end_late, k, NULL, 0);
}

static void transport_drop(void *transport, bool reset)
{
    end(transport, reset);
}

static const sim_transport socket_transport = {transport_frame, transport_close, transport_drop};

/* -- reading -- */

static void answer_http(sim_socket *k, const char *status, const char *body)
{
    static const char form[] = "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                               "Connection: close\r\n\r\n%s";
    char text[512];
    int n = snprintf(text, sizeof text, form, status, strlen(body), body);
    wm_buffer_append(&k->out, text, (size_t)n);
    finish(k);
}

static void upgrade(sim_socket *k, const sim_ws_request *request)
{
    const sim_dialect *d = k->node->cluster->dialect;
    bool path_fits = d->any_path || strcmp(request->path, "/ws") == 0 || strcmp(request->path, "/") == 0;
    if (request->upgrade && path_fits) {
        sim_ws_accept(&k->out, request->key);
        mark_dirty(k);
        k->state = STATE_OPEN;
        k->session = sim_session_open(k->node, &socket_transport, k);
    } else if (request->is_get && (d->any_path || strcmp(request->path, "/health") == 0)) {
        answer_http(k, "200 OK", "simulated TopGun node\n");
    } else if (path_fits) {
        answer_http(k, "400 Bad Request", "a WebSocket upgrade is expected\n");
    } else {
        answer_http(k, "404 Not Found", "not found\n");
    }
}

/* Bytes up to the end of the request head; what follows belongs to frames. */
static const uint8_t *read_head(sim_socket *k, const uint8_t *pos, const uint8_t *end_of_input)
{
    sim_ws_request request;
    size_t had = k->head.len;
    wm_buffer_append(&k->head, pos, (size_t)(end_of_input - pos));
    int used = sim_ws_parse_request(k->head.data, k->head.len, &request);
    if (used == 0) return end_of_input;
    if (used < 0) {
        answer_http(k, "400 Bad Request", "not a request\n");
        return end_of_input;
    }
    upgrade(k, &request);
    wm_buffer_close(&k->head);
    return pos + ((size_t)used - had);
}

static void too_big(sim_socket *k)
{
    sim_node *n = k->node;
    if (n->cluster->dialect->too_big_ends) end(k, false);
    if (!n->cluster->dialect->too_big_is_fatal) return;
    sim_session_close(k->session, 1009, "");
    sim_node_kill_soon(n);
}

static void read_control(sim_socket *k)
{
    const wm_ws_reader *p = &k->reader;
    if (p->opcode == WM_WS_PING) {
        if (k->state == STATE_OPEN) put_frame(k, WM_WS_PONG, p->bytes, p->len);
    } else if (p->opcode == WM_WS_CLOSE) {
        if (k->state == STATE_OPEN) put_frame(k, WM_WS_CLOSE, p->bytes, p->len < 2 ? 0 : 2);
        finish(k);
    }
}

static void read_frames(sim_socket *k, const uint8_t *pos, const uint8_t *end_of_input)
{
    while (k->state == STATE_OPEN || k->state == STATE_CLOSING) {
        wm_ws_found found = wm_ws_reader_next(&k->reader, &pos, end_of_input);
        if (found == WM_WS_NOTHING) return;
        if (found == WM_WS_CONTROL) {
            read_control(k);
        } else if (found == WM_WS_ERROR) {
            if (k->state == STATE_OPEN) put_close(k, k->reader.close_code, "");
            finish(k);
        } else if (k->state == STATE_OPEN) {
            if (found == WM_WS_TOO_BIG) too_big(k);
            else sim_session_receive(k->session, k->reader.opcode == WM_WS_TEXT, k->reader.bytes, k->reader.len);
        }
    }
}

/* Counts bytes for the fault `cut`; how many of `len` are still taken. */
static size_t cut(sim_faults *f, size_t len)
{
    if (!f->cut) return len;
    if (len < f->cut_left) {
        f->cut_left -= len;
        return len;
    }
    f->cut = false;
    return (size_t)f->cut_left;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    sim_socket *k = stream->data;
    if (k->state == STATE_DEAD) return;
    if (n < 0) {
        end(k, false);
        return;
    }
    if (k->state == STATE_ABANDONED) return;
    bool armed = k->node->faults.cut;
    size_t len = cut(&k->node->faults, (size_t)n);
    const uint8_t *pos = (const uint8_t *)buf->base, *stop = pos + len;
    if (k->state == STATE_UPGRADE && !k->node->faults.silent) pos = read_head(k, pos, stop);
    if (k->session != NULL) read_frames(k, pos, stop);
    if (armed && !k->node->faults.cut) end(k, true);
}

/* One buffer for all sockets: a read is handled whole before the next. */
static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[READ_BYTES];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

void sim_socket_accept(sim_node *n)
{
    sim_socket *k = sim_alloc(sizeof *k);
    k->node = n;
    k->delays.loop = n->cluster->loop;
    k->tcp.data = k;
    wm_ws_reader_init_server(&k->reader, n->cluster->dialect->max_message);
    uv_tcp_init(n->cluster->loop, &k->tcp);
    k->next = n->sockets;
    if (n->sockets != NULL) n->sockets->prev = k;
    n->sockets = k;
    if (uv_accept((uv_stream_t *)n->listener, (uv_stream_t *)&k->tcp) != 0) {
        end(k, false);
        return;
    }
    uv_tcp_nodelay(&k->tcp, !n->faults.nagle);
    uv_read_start((uv_stream_t *)&k->tcp, give_buffer, on_read);
}

/* -- all of a node -- */

static bool is_meant(const sim_session *s, uint64_t number)
{
    return number == SIM_ALL_SESSIONS || (s != NULL && s->number == number);
}

void sim_sockets_drop(sim_node *n, uint64_t session, bool reset)
{
    for (sim_socket *k = n->sockets, *next; k != NULL; k = next) {
        next = k->next;
        if (!is_meant(k->session, session)) continue;
        if (!reset && k->out.len > 0 && !k->writing) write_out(k);
        end(k, reset);
    }
}

void sim_sockets_update_nagle(sim_node *n)
{
    for (sim_socket *k = n->sockets; k != NULL; k = k->next)
        if (k->state != STATE_DEAD) uv_tcp_nodelay(&k->tcp, !n->faults.nagle);
}

void sim_sockets_abandon(sim_node *n)
{
    for (sim_socket *k = n->sockets; k != NULL; k = k->next) {
        if (k->state == STATE_DEAD) continue;
        k->state = STATE_ABANDONED;
        forget_dirty(k);
        sim_delays_cancel(&k->delays);
        if (k->session != NULL) sim_session_end(k->session);
        k->session = NULL;
        wm_buffer_clear(&k->out);
    }
}

void sim_sockets_close(sim_node *n, uint64_t session, int code, const char *reason)
{
    for (sim_session *s = n->sessions; s != NULL; s = s->next)
        if (is_meant(s, session)) sim_session_close(s, code, reason);
}

void sim_sockets_send(sim_node *n, sim_sent_as as, const uint8_t *bytes, size_t len)
{
    for (sim_socket *k = n->sockets; k != NULL; k = k->next) {
        if (k->state != STATE_OPEN) continue;
        if (as != SIM_SENT_RAW) {
            put_frame(k, as == SIM_SENT_TEXT ? WM_WS_TEXT : WM_WS_BINARY, bytes, len);
        } else {
            wm_buffer_append(&k->out, bytes, len);
            mark_dirty(k);
        }
    }
}

void sim_sockets_pause(sim_node *n)
{
    for (sim_socket *k = n->sockets; k != NULL; k = k->next) uv_read_stop((uv_stream_t *)&k->tcp);
}

void sim_sockets_resume(sim_node *n)
{
    for (sim_socket *k = n->sockets; k != NULL; k = k->next) {
        uv_read_start((uv_stream_t *)&k->tcp, give_buffer, on_read);
        mark_dirty(k);
    }
}
