#include "transport.h"

#include <libwebsockets.h>
#include <netdb.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

/* Addresses of one host name that are tried one after the other. */
#define MAX_ADDRESSES 8
/* How long a closing connection may take to send its close frame (seconds). */
#define CLOSE_GRACE_S 1

struct wm_transport {
    wm_loop *loop;
    struct lws_vhost *vhost;
    wm_transport_options options;
    wm_buffer out; /* LWS_PRE bytes, then the message that is being sent */
};

/* A connection lives until its timer handle is closed, its name look-up is
 * over and libwebsockets has let go of it, in whatever order. */
struct wm_connection {
    wm_transport *transport;
    const wm_connection_events *events; /* NULL once detached */
    void *user;
    wm_url url;
    uv_timer_t timer; /* first the start, then the connect timeout */
    uv_getaddrinfo_t lookup;
    struct lws *wsi;
    wm_buffer in; /* fragments of a message that is not whole yet */
    char addresses[MAX_ADDRESSES][INET6_ADDRSTRLEN];
    int address_count;
    int address_next;
    int pending; /* handles and requests that still point here */
    bool looking_up;
    bool attempting; /* inside lws_client_connect_via_info or waiting for its end */
    bool established;
    bool ended;
    uint16_t close_code; /* what to send when closing from this side */
    int peer_code;
    char peer_reason[128];
    const char *certificate_problem; /* a text of OpenSSL's, NULL: none */
};

static const char *const end_keys[] = {
#define X(name, key, text) key,
    WM_END_REASONS(X)
#undef X
};

static const char *const end_texts[] = {
#define X(name, key, text) text,
    WM_END_REASONS(X)
#undef X
};

const char *wm_end_reason_key(wm_end_reason reason)
{
    return end_keys[reason];
}

const char *wm_end_reason_text(wm_end_reason reason)
{
    return end_texts[reason];
}

/* -- life ------------------------------------------------------------------------ */

static void let_go(wm_connection *c)
{
    if (--c->pending > 0) return;
    wm_buffer_close(&c->in);
    free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

/* Ends the connection for its owner, once, and starts taking it apart. */
static void finish(wm_connection *c, wm_end_reason reason, int code, const char *detail)
{
    if (c->ended) return;
    c->ended = true;
    const wm_connection_events *events = c->events;
    c->events = NULL;
    if (c->looking_up) uv_cancel((uv_req_t *)&c->lookup);
    if (!uv_is_closing((uv_handle_t *)&c->timer)) uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    if (events == NULL) return;
    wm_connection_end end = {reason, code, detail ? detail : ""};
    events->ended(c->user, &end);
}

/* Lets libwebsockets drop the socket at its next service. */
static void kill_socket(wm_connection *c)
{
    if (c->wsi != NULL) lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

/* -- receiving ------------------------------------------------------------------- */

static void receive(wm_connection *c, struct lws *wsi, const uint8_t *bytes, size_t len)
{
    size_t limit = c->transport->options.max_message;
    size_t announced = lws_remaining_packet_payload(wsi); /* of this frame, and not here yet */
    bool whole = lws_is_final_fragment(wsi) && announced == 0;
    if (len > limit || c->in.len > limit - len || announced > limit - len - c->in.len) {
        kill_socket(c);
        finish(c, WM_END_PROTOCOL, 0, "a message larger than max_message");
        return;
    }
    if (whole && c->in.len == 0) {
        c->events->received(c->user, bytes, len, !lws_frame_is_binary(wsi));
        return;
    }
    wm_buffer_append(&c->in, bytes, len);
    if (c->in.failed) {
        kill_socket(c);
        finish(c, WM_END_PROTOCOL, 0, "out of memory for a message");
        return;
    }
    if (!whole) return;
    /* The owner may close the connection inside `received`; the buffer lives
     * on until libwebsockets lets go. */
    c->events->received(c->user, c->in.data, c->in.len, !lws_frame_is_binary(wsi));
    wm_buffer_clear(&c->in);
}

static int send_next(wm_connection *c, struct lws *wsi)
{
    wm_buffer *out = &c->transport->out;
    wm_buffer_clear(out);
    if (wm_buffer_reserve(out, LWS_PRE) == NULL) return 0;
    out->len = LWS_PRE;
    c->events->writable(c->user, out);
    if (out->failed || out->len <= LWS_PRE) return 0;
    size_t len = out->len - LWS_PRE;
    return lws_write(wsi, out->data + LWS_PRE, len, LWS_WRITE_BINARY) < (int)len ? -1 : 0;
}

static wm_end_reason classify(const char *detail)
{
    if (strstr(detail, "tls") || strstr(detail, "TLS") || strstr(detail, "ssl") || strstr(detail, "SSL") ||
        strstr(detail, "CA ") || strstr(detail, "cert") || strstr(detail, "hostname"))
        return WM_END_TLS;
    if (strstr(detail, "HS:") || strstr(detail, "HTTP") || strstr(detail, "http")) return WM_END_UPGRADE;
    return WM_END_REFUSED;
}

static void connect_next(wm_connection *c);

static void connection_failed(wm_connection *c, const char *bytes, size_t len)
{
    char detail[160];
    if (len >= sizeof detail) len = sizeof detail - 1;
    memcpy(detail, bytes ? bytes : "", bytes ? len : 0);
    detail[bytes ? len : 0] = 0;
    wm_end_reason reason = classify(detail);
    if (reason == WM_END_TLS && c->certificate_problem != NULL)
        snprintf(detail, sizeof detail, "the certificate was refused: %s", c->certificate_problem);
    if (reason == WM_END_REFUSED && c->address_next < c->address_count && !c->ended) {
        connect_next(c);
        return;
    }
    finish(c, reason, 0, detail);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    wm_connection *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    if (c == NULL) return 0;
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
        /* Asked for each certificate of the chain; `len` is OpenSSL's own verdict,
         * which stands. */
        if (len == 0) c->certificate_problem = X509_verify_cert_error_string(X509_STORE_CTX_get_error(user));
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        c->wsi = NULL;
        lws_set_opaque_user_data(wsi, NULL);
        connection_failed(c, in, len);
        let_go(c);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        c->established = true;
        if (c->ended) return -1;
        uv_timer_stop(&c->timer);
        c->events->opened(c->user);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        if (c->ended) return -1;
        receive(c, wsi, in, len);
        return c->ended ? -1 : 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        if (c->ended) {
            if (c->close_code != 0) lws_close_reason(wsi, c->close_code, NULL, 0);
            return -1;
        }
        return send_next(c, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (len >= 2) {
            const uint8_t *bytes = in;
            size_t text = len - 2 < sizeof c->peer_reason - 1 ? len - 2 : sizeof c->peer_reason - 1;
            c->peer_code = bytes[0] << 8 | bytes[1];
            memcpy(c->peer_reason, bytes + 2, text);
            c->peer_reason[text] = 0;
        } else {
            c->peer_code = 1005;
        }
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: /* the end of a socket that lws has told nothing else about */
        c->wsi = NULL;
        lws_set_opaque_user_data(wsi, NULL);
        finish(c, c->peer_code ? WM_END_CLOSED : WM_END_LOST, c->peer_code, c->peer_reason);
        let_go(c);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {"wingman", on_lws, 0, 64 * 1024, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* -- connecting ------------------------------------------------------------------ */

static void connect_next(wm_connection *c)
{
    wm_transport *t = c->transport;
    char host[300];
    bool ipv6 = strchr(c->url.host, ':') != NULL;
    bool default_port = c->url.port == (c->url.tls ? 443 : 80);
    if (default_port) snprintf(host, sizeof host, ipv6 ? "[%s]" : "%s", c->url.host);
    else snprintf(host, sizeof host, ipv6 ? "[%s]:%d" : "%s:%d", c->url.host, c->url.port);
    struct lws_client_connect_info info = {
        .context = wm_loop_lws(t->loop),
        .vhost = t->vhost,
        .address = c->addresses[c->address_next++],
        .port = c->url.port,
        .path = c->url.path,
        .host = host,
        .local_protocol_name = protocols[0].name,
        .ietf_version_or_minus_one = -1,
        .opaque_user_data = c,
        .pwsi = &c->wsi,
    };
    if (c->url.tls) {
        info.ssl_connection = LCCSCF_USE_SSL;
        if (!t->options.tls_verify)
            info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_ALLOW_INSECURE |
                                   LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK | LCCSCF_ALLOW_EXPIRED;
    }
    c->pending++; /* for the wsi: released by CONNECTION_ERROR or CLOSED */
    int before = c->pending;
    c->attempting = true;
    struct lws *wsi = lws_client_connect_via_info(&info);
    c->attempting = false;
    if (wsi == NULL && c->pending == before && c->wsi == NULL && !c->ended) {
        /* Failed before there was a wsi to report through. */
        finish(c, WM_END_REFUSED, 0, "the connection could not be set up");
        let_go(c);
    }
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    wm_connection *c = req->data;
    c->looking_up = false;
    for (struct addrinfo *a = list; a != NULL && c->address_count < MAX_ADDRESSES; a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, c->addresses[c->address_count], sizeof c->addresses[0], NULL, 0,
                        NI_NUMERICHOST) == 0)
            c->address_count++;
    }
    uv_freeaddrinfo(list);
    if (!c->ended) {
        if (c->address_count > 0) connect_next(c);
        else finish(c, WM_END_DNS, 0, status < 0 ? uv_strerror(status) : "no address");
    }
    let_go(c);
}

static void on_connect_timeout(uv_timer_t *timer)
{
    wm_connection *c = timer->data;
    kill_socket(c);
    finish(c, WM_END_CONNECT_TIMEOUT, 0, "");
}

static void on_start(uv_timer_t *timer)
{
    wm_connection *c = timer->data;
    uv_timer_start(timer, on_connect_timeout, c->transport->options.connect_timeout_us / 1000, 0);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    unsigned char numeric[16];
    if (inet_pton(AF_INET, c->url.host, numeric) == 1 || inet_pton(AF_INET6, c->url.host, numeric) == 1) {
        snprintf(c->addresses[0], sizeof c->addresses[0], "%.45s", c->url.host);
        c->address_count = 1;
        connect_next(c);
        return;
    }
    c->lookup.data = c;
    if (uv_getaddrinfo(wm_loop_uv(c->transport->loop), &c->lookup, on_resolved, c->url.host, NULL, &hints) != 0) {
        finish(c, WM_END_DNS, 0, "the look-up could not be started");
        return;
    }
    c->looking_up = true;
    c->pending++;
}

wm_connection *wm_connection_open(wm_transport *t, const wm_url *url, const wm_connection_events *events, void *user)
{
    wm_connection *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    c->transport = t;
    c->events = events;
    c->user = user;
    c->url = *url;
    c->pending = 1; /* the timer handle */
    uv_timer_init(wm_loop_uv(t->loop), &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_start, 0, 0);
    return c;
}

void wm_connection_want_write(wm_connection *c)
{
    if (c->wsi != NULL && c->established && !c->ended) lws_callback_on_writable(c->wsi);
}

void wm_connection_close(wm_connection *c, int close_code)
{
    if (c->ended) return;
    c->events = NULL;
    c->close_code = (uint16_t)close_code;
    if (c->wsi != NULL && c->established && close_code != 0) {
        lws_callback_on_writable(c->wsi);
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, CLOSE_GRACE_S);
    } else {
        kill_socket(c);
    }
    finish(c, WM_END_LOCAL, 0, "");
}

/* -- transport ------------------------------------------------------------------- */

wm_transport *wm_transport_new(wm_loop *loop, const wm_transport_options *options)
{
    struct lws_context *context = wm_loop_lws(loop);
    if (context == NULL) return NULL;
    wm_transport *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    t->loop = loop;
    t->options = *options;
    wm_buffer_init(&t->out);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .client_ssl_ca_filepath = options->ca_file,
        .vhost_name = "wingman",
    };
    t->vhost = lws_create_vhost(context, &info);
    if (t->vhost != NULL) return t;
    free(t);
    return NULL;
}

void wm_transport_free(wm_transport *t)
{
    if (t == NULL) return;
    lws_vhost_destroy(t->vhost);
    wm_buffer_close(&t->out);
    free(t);
}

bool wm_url_parse(const char *text, const char *default_path, wm_url *out)
{
    *out = (wm_url){0};
    if (strncmp(text, "ws://", 5) == 0) text += 5;
    else if (strncmp(text, "wss://", 6) == 0) {
        text += 6;
        out->tls = true;
    } else return false;
    const char *host = text;
    size_t host_len;
    if (*text == '[') {
        host = text + 1;
        const char *end = strchr(host, ']');
        if (end == NULL) return false;
        host_len = (size_t)(end - host);
        text = end + 1;
    } else {
        host_len = strcspn(text, ":/?#");
        text += host_len;
    }
    if (host_len == 0 || host_len >= sizeof out->host) return false;
    memcpy(out->host, host, host_len);
    out->port = out->tls ? 443 : 80;
    if (*text == ':') {
        char *end;
        long port = strtol(text + 1, &end, 10);
        if (end == text + 1 || port < 1 || port > 65535) return false;
        out->port = (int)port;
        text = end;
    }
    if (*text != 0 && *text != '/' && *text != '?') return false;
    const char *path = *text == 0 || strcmp(text, "/") == 0 ? default_path : text;
    if (strlen(path) >= sizeof out->path) return false;
    strcpy(out->path, path);
    return true;
}
