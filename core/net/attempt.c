#include "net/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/ws_handshake.h"

#define DETAIL_MAX 640
#define READ_BYTES 4096

typedef enum step {
    CONNECT, /* TCP connects */
    TUNNEL,  /* CONNECT was sent to the proxy */
    TLS,
    UPGRADE, /* the upgrade request was sent */
} step;

struct wm_attempt {
    const wm_attempt_handlers *handlers;
    void *user;
    wm_attempt_target target;
    wm_channel *channel;
    step step;
    wm_buffer out; /* the rest of the request, which is not written yet */
    wm_buffer in;  /* bytes of the answer's head */
    char key[WM_WS_KEY_SIZE];
    uint64_t begun_us;
    uint64_t tls_us;
};

void wm_attempt_free(wm_attempt *a)
{
    if (a == NULL) return;
    if (a->channel != NULL) wm_channel_close(a->channel);
    wm_buffer_close(&a->out);
    wm_buffer_close(&a->in);
    free(a);
}

/* -- how it ends -- */

static void fail(wm_attempt *a, wm_end_reason reason, const char *detail)
{
    a->handlers->failed(a->user, a, reason, detail);
}

/* A failure before the tunnel stands is the proxy's, and is reported with its name. */
static void fail_on_the_way(wm_attempt *a, wm_end_reason reason, const char *detail)
{
    const wm_proxy *proxy = a->target.proxy;
    char text[DETAIL_MAX];
    if (proxy == NULL) {
        fail(a, reason, detail);
        return;
    }
    snprintf(text, sizeof text, "%s%s%s: %s", proxy->name, proxy->named_by ? " of " : "", proxy->named_by ? proxy->named_by : "",
             detail);
    fail(a, WM_END_PROXY, text);
}

/* An end before any answer is no refusal of the upgrade. */
static wm_end_reason reason_without_answer(const wm_attempt *a)
{
    return a->in.len == 0 ? WM_END_REFUSED : WM_END_UPGRADE;
}

/* The socket or TLS failed while a step was being taken. */
static void fail_by_channel(wm_attempt *a, ssize_t result)
{
    const char *problem = wm_channel_problem(a->channel, result);
    bool is_tls = result == -EPROTO || a->step == TLS;
    if (a->step == CONNECT || a->step == TUNNEL) fail_on_the_way(a, WM_END_REFUSED, problem);
    else fail(a, is_tls ? WM_END_TLS : reason_without_answer(a), problem);
}

static void fail_by_end(wm_attempt *a)
{
    static const char text[] = "the connection was closed before an answer had come";
    if (a->step == TUNNEL) fail_on_the_way(a, WM_END_PROXY, text);
    else fail(a, reason_without_answer(a), text);
}

static void fail_by_head(wm_attempt *a)
{
    bool is_long = a->in.len >= WM_HTTP_HEAD_MAX;
    const char *text = is_long ? "the answer's headers are longer than 16 KiB" : "the answer is not HTTP";
    if (a->step == TUNNEL) fail_on_the_way(a, WM_END_PROXY, text);
    else fail(a, WM_END_UPGRADE, text);
}

static void open_up(wm_attempt *a, size_t head)
{
    wm_channel *channel = a->channel;
    a->channel = NULL;
    a->handlers->opened(a->user, a, channel, a->in.data + head, a->in.len - head, a->tls_us);
}

/* -- steps -- */

static void advance(void *user);

static void append_text(wm_buffer *out, const char *text)
{
    wm_buffer_append(out, text, strlen(text));
}

/* Writes the request, or as much of it as fits; the next call writes the rest. */
static void ask(wm_attempt *a, step next)
{
    a->step = next;
    wm_buffer_clear(&a->in);
    if (a->out.failed) fail(a, WM_END_LOCAL, "out of memory");
    else advance(a);
}

static void ask_for_tunnel(wm_attempt *a)
{
    char host[300];
    wm_url_host_text(a->target.url, 0, host, sizeof host);
    append_text(&a->out, "CONNECT ");
    append_text(&a->out, host);
    append_text(&a->out, " HTTP/1.1\r\nHost: ");
    append_text(&a->out, host);
    if (a->target.proxy->authorization[0] != 0) {
        append_text(&a->out, "\r\nProxy-Authorization: ");
        append_text(&a->out, a->target.proxy->authorization);
    }
    append_text(&a->out, "\r\n\r\n");
    ask(a, TUNNEL);
}

static void ask_for_upgrade(wm_attempt *a)
{
    char host[300];
    const wm_url *url = a->target.url;
    wm_url_host_text(url, url->tls ? 443 : 80, host, sizeof host);
    if (!wm_ws_key(a->key)) {
        fail(a, WM_END_LOCAL, "no random numbers");
        return;
    }
    wm_ws_request(&a->out, url->path, host, a->key);
    ask(a, UPGRADE);
}

static void begin_tls(wm_attempt *a)
{
    char error[DETAIL_MAX];
    a->step = TLS;
    if (wm_channel_start_tls(a->channel, a->target.tls, a->target.url->host, error, sizeof error)) advance(a);
    else fail(a, WM_END_TLS, error);
}

/* The stream to the node is there, directly or through a tunnel. */
static void reached(wm_attempt *a)
{
    if (a->target.url->tls) begin_tls(a);
    else ask_for_upgrade(a);
}

static void step_connect(wm_attempt *a)
{
    int result = wm_channel_connected(a->channel);
    if (result < 0) fail_by_channel(a, result);
    else if (a->target.proxy != NULL) ask_for_tunnel(a);
    else reached(a);
}

static void step_tls(wm_attempt *a)
{
    int result = wm_channel_handshake(a->channel);
    if (result == -EAGAIN) return;
    if (result < 0) {
        fail_by_channel(a, result);
        return;
    }
    a->tls_us = wm_now_us() - a->begun_us;
    ask_for_upgrade(a);
}

static void tunnel_answered(wm_attempt *a, const wm_http_head *answer)
{
    wm_text_span reason;
    char words[128], text[160];
    int status = wm_http_status(answer, &reason);
    if (status >= 200 && status < 300) {
        wm_buffer_clear(&a->in); /* a server sends nothing before the request */
        reached(a);
        return;
    }
    if (status < 0) {
        fail_on_the_way(a, WM_END_PROXY, "the answer is not HTTP");
        return;
    }
    wm_span_escape(reason, words, sizeof words);
    snprintf(text, sizeof text, "HTTP %d %s", status, words);
    fail_on_the_way(a, WM_END_PROXY, text);
}

static void upgrade_answered(wm_attempt *a, const wm_http_head *answer, size_t head)
{
    char problem[DETAIL_MAX];
    if (wm_ws_answer_is_upgrade(answer, a->key, problem, sizeof problem)) open_up(a, head);
    else fail(a, WM_END_UPGRADE, problem);
}

/* 0, or what the channel says. */
static ssize_t write_request(wm_attempt *a)
{
    while (a->out.len > 0) {
        ssize_t n = wm_channel_write(a->channel, a->out.data, a->out.len);
        if (n < 0) return n;
        wm_buffer_consume(&a->out, (size_t)n);
    }
    return 0;
}

/* Reads until there is a whole head. If writing has failed, what the server has sent may say why: the TLS
 * alert of a server that refuses our certificate. */
static void step_ask(wm_attempt *a)
{
    ssize_t written = write_request(a), n;
    wm_channel_watch(a->channel, true, written == -EAGAIN);
    for (;;) {
        uint8_t *room = wm_buffer_reserve(&a->in, READ_BYTES);
        if (room == NULL) {
            fail(a, WM_END_LOCAL, "out of memory");
            return;
        }
        n = wm_channel_read(a->channel, room, READ_BYTES);
        if (n == -EAGAIN && (written == 0 || written == -EAGAIN)) return;
        if (n == -EAGAIN) n = written;
        if (n < 0) fail_by_channel(a, n);
        if (n == 0) fail_by_end(a);
        if (n <= 0) return;
        a->in.len += (size_t)n;
        wm_http_head head;
        int size = wm_http_head_read(a->in.data, a->in.len, &head);
        if (size == 0) continue;
        if (size < 0) fail_by_head(a);
        else if (a->step == TUNNEL) tunnel_answered(a, &head);
        else upgrade_answered(a, &head, (size_t)size);
        return;
    }
}

/* Takes the next step. A step calls this again for the one that follows, or ends the attempt, which is
 * freed then. */
static void advance(void *user)
{
    wm_attempt *a = user;
    switch (a->step) {
    case CONNECT: step_connect(a); return;
    case TLS: step_tls(a); return;
    case TUNNEL:
    case UPGRADE: step_ask(a); return;
    }
}

wm_attempt *wm_attempt_new(wm_loop *loop, const wm_attempt_target *target, const wm_attempt_handlers *handlers, void *user,
                           char *detail, size_t size)
{
    wm_attempt *a = calloc(1, sizeof *a);
    snprintf(detail, size, "out of memory");
    if (a == NULL) return NULL;
    a->handlers = handlers;
    a->user = user;
    a->target = *target;
    a->begun_us = wm_now_us();
    int port = target->proxy ? target->proxy->at.port : target->url->port;
    int result = wm_channel_open(loop, target->address, port, advance, a, &a->channel);
    if (result == 0) return a;
    const char *proxy = target->proxy ? target->proxy->name : "";
    snprintf(detail, size, "%s%s%s", proxy, proxy[0] ? ": " : "", uv_strerror(result));
    free(a);
    return NULL;
}
