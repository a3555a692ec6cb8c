#include "transport.h"

#include <libwebsockets.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

#include "dial.h"
#include "intake.h"
#include "status.h"
#include "ws_frame.h"

/* What one read of a socket takes at most: libwebsockets steps through it byte by
 * byte, some 3 ns each, and a turn that has a deadline cannot be shorter. */
#define READ_BYTES (8 * 1024)
/* The same for light connections: every one has a buffer of that size for good. */
#define LIGHT_READ_BYTES 1024
/* What one write hands to the kernel at most: over loopback its cost is mostly that of the
 * call and of waking the other side. */
#define WRITE_BYTES (256 * 1024)
/* With so many bytes of frames a write waits for no further ones: with one more of usual
 * size it still goes out whole. */
#define GATHER_BYTES (WRITE_BYTES / 2)
/* Writes of one connection in a row, where a turn between them would only make the next one
 * wait: some 200 us, in which the other side answers the first. */
#define WRITES 4
/* How long a closing connection may take to send its close frame (seconds). */
#define CLOSE_GRACE_S 1

struct wm_transport {
    wm_loop *loop;
    struct lws_vhost *vhost;
    wm_transport_options options;
    wm_buffer out; /* LWS_PRE bytes, then the frames that are being sent */
    wm_ws_masks masks;
};

/* Lives until its owner was told of the end and libwebsockets has let go of its sockets. */
struct wm_connection {
    wm_transport *transport;
    const wm_connection_events *events; /* NULL once detached */
    void *user;
    wm_dial *dial;    /* NULL once a socket is established, or none will be */
    uint64_t tls_us;  /* of the attempt that came so far last */
    struct lws *wsi;  /* the attempt that won, NULL before and after */
    wm_intake *intake; /* NULL until something came */
    wm_work writing;  /* as soon as the loop has its turn */
    int holders;      /* the owner, and attempts */
    bool unwritten; /* lws holds the rest of the last write */
    bool gathering; /* `writable` is being asked */
    bool wants_write; /* ... and has more to say */
    bool peer_closing; /* its close frame came: nothing is sent behind the answer */
    bool ended;
    uint16_t close_code; /* what to send when closing from this side */
    int peer_code;
    char peer_reason[126]; /* of a close frame: 123 bytes at most (RFC 6455, section 5.5) */
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
    if (--c->holders > 0) return;
    wm_intake_free(c->intake);
    free(c);
}

/* libwebsockets drops the socket at its next service. */
static void kill_socket(wm_connection *c)
{
    if (c->wsi != NULL) lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

static void end_dial(wm_connection *c, const wm_attempt *winner)
{
    if (c->dial != NULL) wm_dial_end(c->dial, winner);
    c->dial = NULL;
}

/* Ends the connection for its owner, once. */
static void finish(wm_connection *c, wm_end_reason reason, int code, const char *detail)
{
    if (c->ended) return;
    c->ended = true;
    const wm_connection_events *events = c->events;
    c->events = NULL;
    end_dial(c, NULL);
    wm_loop_withdraw(&c->writing);
    wm_connection_end end = {reason, code, detail ? detail : ""};
    if (events != NULL) events->ended(c->user, &end);
    let_go(c);
}

/* -- receiving ------------------------------------------------------------------- */

/* The owner may end the connection in any of these; what else has come is nobody's then. */
static int on_message(void *user, const uint8_t *bytes, size_t len, bool text, wm_buffer *whole)
{
    wm_connection *c = user;
    if (!c->ended) c->events->received(c->user, bytes, len, text, whole);
    return WM_OK;
}

static int on_too_large(void *user, const uint8_t *description, size_t len)
{
    wm_connection *c = user;
    if (!c->ended) c->events->too_large(c->user, description, len);
    return WM_OK;
}

static const wm_intake_handlers intake_handlers = {on_message, on_too_large};

static void receive(wm_connection *c, struct lws *wsi, const uint8_t *bytes, size_t len)
{
    size_t announced = lws_remaining_packet_payload(wsi); /* of this frame, and not here yet */
    bool is_last = lws_is_final_fragment(wsi) && announced == 0;
    c->events->heard(c->user, len);
    if (c->intake == NULL) c->intake = wm_intake_new(c->transport->options.max_message, &intake_handlers, c);
    int rc = c->intake == NULL ? WM_ENOMEM
                               : wm_intake_put(c->intake, bytes, len, announced, is_last, !lws_frame_is_binary(wsi));
    if (rc >= 0) return;
    kill_socket(c);
    finish(c, WM_END_PROTOCOL, 0, rc == WM_ENOMEM ? "out of memory for a message" : wm_message_error_text(rc));
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

/* The owner's next messages, in one write. */
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

/* Whether there is another write's worth, and the socket and the loop have time for it. */
static bool may_send_more(const wm_connection *c, struct lws *wsi)
{
    return c->wants_write && !c->ended && !c->unwritten && c->wsi == wsi && !wm_loop_is_bounded(c->transport->loop);
}

/* What there is to send, in a few writes; what is left then leaves in the next turn. */
static int send_some(wm_connection *c, struct lws *wsi)
{
    int result, writes = 0;
    do {
        result = send_next(c, wsi);
    } while (result == 0 && ++writes < WRITES && may_send_more(c, wsi));
    if (c->wants_write) wm_loop_post_write(c->transport->loop, &c->writing);
    return result;
}

/* Writes without asking first whether the socket is writable, which it nearly always is,
 * and which costs four system calls. What it does not take libwebsockets keeps. */
static wm_work_state write_now(void *user)
{
    wm_connection *c = user;
    if (c->wsi == NULL || c->ended || c->peer_closing) return WM_WORK_DONE;
    if (lws_partial_buffered(c->wsi)) lws_callback_on_writable(c->wsi);
    else if (send_some(c, c->wsi) < 0) kill_socket(c);
    return WM_WORK_DONE;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

enum { USUAL, LIGHT };
static const struct lws_protocols protocols[] = {
    [USUAL] = {"wingman", on_lws, 0, READ_BYTES, 0, NULL, WRITE_BYTES},
    [LIGHT] = {"wingman-light", on_lws, 0, LIGHT_READ_BYTES, 0, NULL, WRITE_BYTES},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* -- connecting ------------------------------------------------------------------ */

/* The Host header, which is also the name in the TLS handshake, and the one that is
 * verified. */
static void host_of(const wm_url *url, char *out, size_t size)
{
    bool ipv6 = strchr(url->host, ':') != NULL;
    bool default_port = url->port == (url->tls ? 443 : 80);
    if (default_port) snprintf(out, size, ipv6 ? "[%s]" : "%s", url->host);
    else snprintf(out, size, ipv6 ? "[%s]:%d" : "%s:%d", url->host, url->port);
}

static struct lws *begin_attempt(void *user, wm_attempt *a, const wm_url *url, const char *address)
{
    wm_connection *c = user;
    wm_transport *t = c->transport;
    char host[300];
    host_of(url, host, sizeof host);
    c->holders++;
    struct lws_client_connect_info info = {
        .context = wm_loop_lws(t->loop),
        .vhost = t->vhost,
        .address = address,
        .port = url->port,
        .path = url->path,
        .host = host,
        .local_protocol_name = protocols[t->options.light ? LIGHT : USUAL].name,
        .ietf_version_or_minus_one = -1,
        .opaque_user_data = a,
        .pwsi = &a->wsi,
    };
    if (url->tls) {
        info.ssl_connection = LCCSCF_USE_SSL;
        if (!t->options.tls_verify)
            info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_ALLOW_INSECURE |
                                   LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK | LCCSCF_ALLOW_EXPIRED;
    }
    return lws_client_connect_via_info(&info);
}

static void dial_failed(void *user, wm_end_reason reason, const char *detail)
{
    finish(user, reason, 0, detail);
}

static void attempt_gone(void *user)
{
    let_go(user);
}

static const wm_dial_handlers dial_handlers = {begin_attempt, dial_failed, attempt_gone};

wm_connection *wm_connection_open(wm_transport *t, const wm_url *url, const wm_addresses *addresses,
                                  const wm_connection_events *events, void *user)
{
    wm_connection *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    c->transport = t;
    c->events = events;
    c->user = user;
    c->holders = 1;
    c->writing = (wm_work){.piece = write_now, .user = c};
    c->dial = wm_dial_new(wm_loop_uv(t->loop), url, addresses, t->options.connect_timeout_us, &dial_handlers, c);
    if (c->dial != NULL) return c;
    free(c);
    return NULL;
}

/* -- what libwebsockets reports --------------------------------------------------- */

static void established(wm_connection *c, const wm_attempt *winner, struct lws *wsi)
{
    c->wsi = wsi;
    end_dial(c, winner);
    c->events->opened(c->user, c->tls_us);
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
static void socket_gone(wm_attempt *a, struct lws *wsi)
{
    wm_connection *c = a->user;
    a->wsi = NULL;
    lws_set_opaque_user_data(wsi, NULL);
    if (c->wsi == wsi) {
        c->wsi = NULL;
        restore_code(c);
        finish(c, reason_of_close(c), c->peer_code, c->peer_reason);
    } else {
        wm_attempt_failed(a, NULL, 0);
    }
    wm_attempt_release(a);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    wm_attempt *a = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    if (a == NULL) return 0;
    wm_connection *c = a->user;
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
        /* Asked for each certificate of the chain; `len` is OpenSSL's own verdict,
         * which stands. */
        if (len == 0) a->certificate_problem = X509_verify_cert_error_string(X509_STORE_CTX_get_error(user));
        return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: /* TLS is through, the upgrade is next */
        if (lws_is_ssl(wsi)) c->tls_us = wm_now_us() - a->begun_us;
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        a->wsi = NULL;
        lws_set_opaque_user_data(wsi, NULL);
        wm_attempt_failed(a, in, in ? len : 0);
        wm_attempt_release(a);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        if (c->ended || c->wsi != NULL) return -1; /* another address was faster */
        established(c, a, wsi);
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
        return c->wsi == wsi ? send_some(c, wsi) : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (c->wsi != wsi) return 0;
        c->peer_closing = true;
        note_close_frame(c, in, len);
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
    if (!c->gathering) wm_loop_post_write(c->transport->loop, &c->writing);
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
