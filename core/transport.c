#include "transport.h"

#include <libwebsockets.h>
#include <netdb.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

#include "ws_frame.h"

/* While an address has not answered for so long, the next one is tried as well
 * (RFC 8305, section 8: the recommended value). */
#define ATTEMPT_STAGGER_MS 250
/* What one read of a socket takes at most: libwebsockets steps through it byte by
 * byte, some 3 ns each, and a turn that has a deadline cannot be shorter. */
#define READ_BYTES (8 * 1024)
/* What an announced length alone makes us reserve at most. */
#define RESERVE_BYTES (4u * 1024 * 1024)
/* What one write hands to the kernel at most. */
#define WRITE_BYTES (64 * 1024)
/* With so many bytes of frames a write waits for no further ones: with one more of usual
 * size it still goes out whole. */
#define GATHER_BYTES (WRITE_BYTES / 2)
/* How long a closing connection may take to send its close frame (seconds). */
#define CLOSE_GRACE_S 1

struct wm_transport {
    wm_loop *loop;
    struct lws_vhost *vhost;
    wm_transport_options options;
    wm_buffer out; /* LWS_PRE bytes, then the frames that are being sent */
    wm_ws_masks masks;
};

/* One address of a connection's host on its way to a finished upgrade. */
typedef struct attempt {
    wm_connection *connection;
    struct lws *wsi;                 /* NULL before it begins and after it has ended */
    const char *certificate_problem; /* a text of OpenSSL's, NULL: none */
    bool failed;
} attempt;

/* A connection races attempts at its host's addresses until one of them is
 * established. It lives until its timer handle is closed, its name look-up is over
 * and libwebsockets has let go of every attempt, in whatever order. */
struct wm_connection {
    wm_transport *transport;
    const wm_connection_events *events; /* NULL once detached */
    void *user;
    wm_url url;
    uv_timer_t timer;     /* the start, the next attempt, the connect timeout */
    uint64_t deadline_ms; /* of the connect timeout, by the loop's clock */
    uv_getaddrinfo_t lookup;
    wm_addresses addresses;
    attempt attempts[WM_ADDRESSES_MAX]; /* by address */
    int begun;        /* attempts so far */
    int running;      /* attempts that have neither won nor failed */
    wm_end_reason failure; /* of the attempt that came furthest; WM_END_LOCAL: none has failed */
    char failure_detail[160];
    struct lws *wsi;  /* the attempt that won, NULL before and after */
    wm_buffer in;     /* fragments of a message that is not whole yet */
    int pending;      /* handles and requests that still point here */
    bool looking_up;
    bool unwritten; /* lws holds the rest of the last write */
    bool gathering; /* `writable` is being asked */
    bool wants_write; /* ... and has more to say */
    bool ended;
    uint16_t close_code; /* what to send when closing from this side */
    int peer_code;
    char peer_reason[128];
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

/* Lets libwebsockets drop the sockets at its next service, all but one. */
static void kill_sockets(wm_connection *c, const struct lws *but)
{
    for (int i = 0; i < c->begun; i++) {
        struct lws *wsi = c->attempts[i].wsi;
        if (wsi != NULL && wsi != but) lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    }
}

/* -- receiving ------------------------------------------------------------------- */

static void receive(wm_connection *c, struct lws *wsi, const uint8_t *bytes, size_t len)
{
    size_t limit = c->transport->options.max_message;
    size_t announced = lws_remaining_packet_payload(wsi); /* of this frame, and not here yet */
    bool whole = lws_is_final_fragment(wsi) && announced == 0;
    if (len > limit || c->in.len > limit - len || announced > limit - len - c->in.len) {
        kill_sockets(c, NULL);
        finish(c, WM_END_PROTOCOL, 0, "a message larger than max_message");
        return;
    }
    if (whole && c->in.len == 0) {
        c->events->received(c->user, bytes, len, !lws_frame_is_binary(wsi), &c->in);
        return;
    }
    /* Once for the whole frame: growing would copy it again and again. */
    wm_buffer_reserve(&c->in, len + (announced < RESERVE_BYTES ? announced : RESERVE_BYTES));
    wm_buffer_append(&c->in, bytes, len);
    if (c->in.failed) {
        kill_sockets(c, NULL);
        finish(c, WM_END_PROTOCOL, 0, "out of memory for a message");
        return;
    }
    if (!whole) return;
    /* The owner may close the connection inside `received`; the buffer lives
     * on until libwebsockets lets go. */
    c->events->received(c->user, c->in.data, c->in.len, !lws_frame_is_binary(wsi), &c->in);
    wm_buffer_clear(&c->in);
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
        if (out->len == at + WM_WS_HEADER_ROOM) { /* it has nothing to say, or not now */
            out->len = at;
            break;
        }
        framed = !out->failed && wm_ws_frame(&c->transport->masks, out, at);
    } while (framed && c->events != NULL && c->wants_write && out->len < GATHER_BYTES);
    c->gathering = false;
    return framed;
}

static int send_next(wm_connection *c, struct lws *wsi)
{
    wm_buffer *out = &c->transport->out;
    if (c->unwritten) {
        c->unwritten = false;
        c->events->written(c->user);
    }
    wm_buffer_clear(out);
    if (wm_buffer_reserve(out, LWS_PRE) == NULL) return 0;
    out->len = LWS_PRE;
    if (!gather(c, out)) return -1; /* a message is lost with its connection, which its owner sees */
    if (c->wants_write) lws_callback_on_writable(wsi);
    if (out->len == LWS_PRE) return 0;
    wm_loop_moved(c->transport->loop);
    int len = (int)(out->len - LWS_PRE);
    /* The frames are whole; LWS_WRITE_HTTP sends bytes as they are. */
    if (lws_write(wsi, out->data + LWS_PRE, (size_t)len, LWS_WRITE_HTTP) < len) return -1;
    if (!lws_partial_buffered(wsi)) {
        if (c->events != NULL) c->events->written(c->user);
        return 0;
    }
    /* lws keeps the rest, and calls again once it is through. */
    c->unwritten = true;
    lws_callback_on_writable(wsi);
    return 0;
}

static wm_end_reason classify(const char *detail)
{
    if (strstr(detail, "tls") || strstr(detail, "TLS") || strstr(detail, "ssl") || strstr(detail, "SSL") ||
        strstr(detail, "CA ") || strstr(detail, "cert") || strstr(detail, "hostname"))
        return WM_END_TLS;
    if (strstr(detail, "HS:") || strstr(detail, "HTTP") || strstr(detail, "http")) return WM_END_UPGRADE;
    return WM_END_REFUSED;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

static const struct lws_protocols protocols[] = {
    {"wingman", on_lws, 0, READ_BYTES, 0, NULL, WRITE_BYTES},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* -- connecting ------------------------------------------------------------------ */

/* How far an attempt came before it failed: what the furthest one says tells most. */
static int distance(wm_end_reason reason)
{
    return reason == WM_END_UPGRADE ? 3 : reason == WM_END_TLS ? 2 : reason == WM_END_REFUSED ? 1 : 0;
}

static void note_failure(wm_connection *c, wm_end_reason reason, const char *detail)
{
    if (distance(reason) <= distance(c->failure)) return;
    c->failure = reason;
    snprintf(c->failure_detail, sizeof c->failure_detail, "%s", detail);
}

static void begin_next(wm_connection *c);

static void attempt_failed(attempt *a, const char *bytes, size_t len)
{
    wm_connection *c = a->connection;
    char detail[160];
    snprintf(detail, sizeof detail, "%.*s", bytes ? (int)len : 0, bytes ? bytes : "");
    wm_end_reason reason = classify(detail);
    if (reason == WM_END_TLS && a->certificate_problem != NULL)
        snprintf(detail, sizeof detail, "the certificate was refused: %s", a->certificate_problem);
    note_failure(c, reason, detail);
    a->failed = true;
    c->running--;
    if (c->ended || c->wsi != NULL) return;
    if (c->begun < c->addresses.count) begin_next(c);
    else if (c->running == 0) finish(c, c->failure, 0, c->failure_detail);
}

static void on_timer(uv_timer_t *timer);

/* The timer goes off for the next attempt, or for the end of all patience. */
static void arm(wm_connection *c)
{
    uint64_t now = uv_now(wm_loop_uv(c->transport->loop));
    uint64_t wait = c->deadline_ms > now ? c->deadline_ms - now : 0;
    if (c->begun < c->addresses.count && wait > ATTEMPT_STAGGER_MS) wait = ATTEMPT_STAGGER_MS;
    uv_timer_start(&c->timer, on_timer, wait, 0);
}

static struct lws_client_connect_info connect_info(wm_connection *c, attempt *a, const char *host)
{
    wm_transport *t = c->transport;
    struct lws_client_connect_info info = {
        .context = wm_loop_lws(t->loop),
        .vhost = t->vhost,
        .address = c->addresses.text[a - c->attempts],
        .port = c->url.port,
        .path = c->url.path,
        .host = host, /* also the name in the TLS handshake, and the one that is verified */
        .local_protocol_name = protocols[0].name,
        .ietf_version_or_minus_one = -1,
        .opaque_user_data = a,
        .pwsi = &a->wsi,
    };
    if (c->url.tls) {
        info.ssl_connection = LCCSCF_USE_SSL;
        if (!t->options.tls_verify)
            info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_ALLOW_INSECURE |
                                   LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK | LCCSCF_ALLOW_EXPIRED;
    }
    return info;
}

/* libwebsockets is given an address, never a name: it would look the name up inside
 * this call, while the loop stands still, and try its addresses one after the other. */
static void begin_next(wm_connection *c)
{
    char host[300];
    bool ipv6 = strchr(c->url.host, ':') != NULL;
    bool default_port = c->url.port == (c->url.tls ? 443 : 80);
    if (default_port) snprintf(host, sizeof host, ipv6 ? "[%s]" : "%s", c->url.host);
    else snprintf(host, sizeof host, ipv6 ? "[%s]:%d" : "%s:%d", c->url.host, c->url.port);
    attempt *a = &c->attempts[c->begun++];
    a->connection = c;
    c->running++;
    c->pending += 2; /* this call, and the wsi: released by CONNECTION_ERROR or CLOSED */
    arm(c);
    struct lws_client_connect_info info = connect_info(c, a, host);
    struct lws *wsi = lws_client_connect_via_info(&info);
    if (wsi == NULL && a->wsi == NULL && !a->failed) {
        /* Failed before there was a wsi to report through. */
        static const char text[] = "the connection could not be set up";
        attempt_failed(a, text, sizeof text - 1);
        let_go(c);
    }
    let_go(c);
}

static void on_timer(uv_timer_t *timer)
{
    wm_connection *c = timer->data;
    if (uv_now(timer->loop) < c->deadline_ms && c->begun < c->addresses.count) {
        begin_next(c);
        return;
    }
    kill_sockets(c, NULL);
    finish(c, WM_END_CONNECT_TIMEOUT, 0, c->failure_detail);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    wm_connection *c = req->data;
    c->looking_up = false;
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        char text[sizeof c->addresses.text[0]];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
            wm_addresses_add(&c->addresses, text);
    }
    uv_freeaddrinfo(list);
    wm_addresses_interleave(&c->addresses);
    if (!c->ended) {
        if (c->addresses.count > 0) begin_next(c);
        else finish(c, WM_END_DNS, 0, status < 0 ? uv_strerror(status) : "no address");
    }
    let_go(c);
}

static void on_start(uv_timer_t *timer)
{
    wm_connection *c = timer->data;
    c->deadline_ms = uv_now(timer->loop) + c->transport->options.connect_timeout_us / 1000;
    if (c->addresses.count == 0 && wm_address_is_numeric(c->url.host)) wm_addresses_add(&c->addresses, c->url.host);
    if (c->addresses.count > 0) {
        begin_next(c);
        return;
    }
    arm(c);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    c->lookup.data = c;
    if (uv_getaddrinfo(timer->loop, &c->lookup, on_resolved, c->url.host, NULL, &hints) != 0) {
        finish(c, WM_END_DNS, 0, "the look-up could not be started");
        return;
    }
    c->looking_up = true;
    c->pending++;
}

wm_connection *wm_connection_open(wm_transport *t, const wm_url *url, const wm_addresses *addresses,
                                  const wm_connection_events *events, void *user)
{
    wm_connection *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    c->transport = t;
    c->events = events;
    c->user = user;
    c->url = *url;
    c->failure = WM_END_LOCAL;
    if (addresses != NULL) c->addresses = *addresses;
    wm_addresses_interleave(&c->addresses);
    c->pending = 1; /* the timer handle */
    uv_timer_init(wm_loop_uv(t->loop), &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_start, 0, 0);
    return c;
}

/* -- what libwebsockets reports --------------------------------------------------- */

static void established(attempt *a, struct lws *wsi)
{
    wm_connection *c = a->connection;
    c->wsi = wsi;
    c->running--;
    uv_timer_stop(&c->timer);
    kill_sockets(c, wsi);
    c->events->opened(c->user);
}

static void note_close_frame(wm_connection *c, const uint8_t *bytes, size_t len)
{
    if (len < 2) {
        c->peer_code = 1005;
        return;
    }
    c->peer_code = bytes[0] << 8 | bytes[1];
    snprintf(c->peer_reason, sizeof c->peer_reason, "%.*s", (int)(len - 2), (const char *)bytes + 2);
}

/* libwebsockets 4.1 takes the codes from 1012 to 2999 for invalid and tells 1002 in
 * their place. So the texts that go with them have to say which it was; they are those
 * of the 0.11 server. */
static void restore_code(wm_connection *c)
{
    if (c->peer_code == 1002 && strcmp(c->peer_reason, "Server overloaded") == 0) c->peer_code = 1013;
}

static wm_end_reason reason_of_close(const wm_connection *c)
{
    switch (c->peer_code) {
    case 0: return WM_END_LOST;
    case 1002: return strcmp(c->peer_reason, "Protocol Error") == 0 ? WM_END_BAD_FRAME : WM_END_CLOSED;
    case 1013: return WM_END_OVERLOADED;
    case 4001: return WM_END_AUTH_FAILED;
    default: return WM_END_CLOSED;
    }
}

/* libwebsockets has let go of an attempt's socket. */
static void socket_gone(attempt *a, struct lws *wsi)
{
    wm_connection *c = a->connection;
    a->wsi = NULL;
    lws_set_opaque_user_data(wsi, NULL);
    if (c->wsi == wsi) {
        c->wsi = NULL;
        restore_code(c);
        finish(c, reason_of_close(c), c->peer_code, c->peer_reason);
    } else {
        attempt_failed(a, NULL, 0);
    }
    let_go(c);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    attempt *a = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    if (a == NULL) return 0;
    wm_connection *c = a->connection;
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
        /* Asked for each certificate of the chain; `len` is OpenSSL's own verdict,
         * which stands. */
        if (len == 0) a->certificate_problem = X509_verify_cert_error_string(X509_STORE_CTX_get_error(user));
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        a->wsi = NULL;
        lws_set_opaque_user_data(wsi, NULL);
        attempt_failed(a, in, in ? len : 0);
        let_go(c);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        if (c->ended || c->wsi != NULL) return -1; /* another address was faster */
        established(a, wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        if (c->ended || c->wsi != wsi) return -1;
        wm_loop_moved(c->transport->loop);
        receive(c, wsi, in, len);
        return c->ended ? -1 : 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        if (c->ended) {
            if (c->close_code != 0) lws_close_reason(wsi, c->close_code, NULL, 0);
            return -1;
        }
        return c->wsi == wsi ? send_next(c, wsi) : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (c->wsi == wsi) note_close_frame(c, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: /* the end of a socket that lws has told nothing else about */
        socket_gone(a, wsi);
        return 0;
    default:
        return 0;
    }
}

/* -- the owner's calls ------------------------------------------------------------- */

void wm_connection_want_write(wm_connection *c)
{
    if (c->wsi == NULL || c->ended) return;
    wm_loop_moved(c->transport->loop);
    c->wants_write = true;
    if (!c->gathering) lws_callback_on_writable(c->wsi);
}

void wm_connection_hold(wm_connection *c, bool held)
{
    if (c->wsi == NULL || c->ended) return;
    lws_rx_flow_control(c->wsi, !held);
    /* What the library or OpenSSL has read already makes no socket readable. */
    if (!held) lws_callback_on_writable(c->wsi);
}

void wm_connection_close(wm_connection *c, int close_code)
{
    if (c->ended) return;
    c->events = NULL;
    c->close_code = (uint16_t)close_code;
    wm_loop_moved(c->transport->loop);
    if (c->wsi != NULL && close_code != 0) {
        lws_rx_flow_control(c->wsi, 1); /* the other side's close frame has to be read */
        lws_callback_on_writable(c->wsi);
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, CLOSE_GRACE_S);
    } else {
        kill_sockets(c, NULL);
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
    t->vhost = wm_vhosts_get(wm_loop_vhosts(loop), context, protocols, options->ca_file);
    if (t->vhost != NULL) return t;
    free(t);
    return NULL;
}

void wm_transport_free(wm_transport *t)
{
    if (t == NULL) return;
    wm_buffer_close(&t->out);
    free(t);
}
