#include "dial.h"

#include <libwebsockets.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

/* While an address has not answered for so long, the next one is tried as well
 * (RFC 8305, section 8: the recommended value). */
#define ATTEMPT_STAGGER_MS 250

/* Lives until its timer handle is closed and its name look-up is over. */
struct wm_dial {
    const wm_dial_handlers *handlers; /* NULL once the race is over */
    void *user;
    wm_url url;
    uv_timer_t timer;     /* the start, the next attempt, the connect timeout */
    uint64_t timeout_ms;
    uint64_t deadline_ms; /* by the loop's clock */
    uv_getaddrinfo_t lookup;
    bool looking_up;
    wm_addresses addresses;
    wm_attempt *attempts[WM_ADDRESSES_MAX]; /* by address; NULL: not begun, or gone */
    int begun;   /* attempts so far */
    int running; /* attempts that have neither won nor failed */
    wm_end_reason failure; /* of the attempt that came furthest; WM_END_LOCAL: none has failed */
    char failure_detail[160];
    int pending; /* handles and requests that still point here */
};

static void let_go(wm_dial *d)
{
    if (--d->pending == 0) free(d);
}

static void on_timer_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

void wm_dial_end(wm_dial *d, const wm_attempt *winner)
{
    d->handlers = NULL;
    for (int i = 0; i < d->begun; i++) {
        wm_attempt *a = d->attempts[i];
        if (a == NULL) continue;
        a->dial = NULL;
        /* libwebsockets drops it at its next service. */
        if (a != winner && a->wsi != NULL) lws_set_timeout(a->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    }
    if (d->looking_up) uv_cancel((uv_req_t *)&d->lookup);
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

/* -- how it fails ------------------------------------------------------------------ */

static wm_end_reason classify(const char *detail)
{
    if (strstr(detail, "tls") || strstr(detail, "TLS") || strstr(detail, "ssl") || strstr(detail, "SSL") ||
        strstr(detail, "CA ") || strstr(detail, "cert") || strstr(detail, "hostname"))
        return WM_END_TLS;
    if (strstr(detail, "HS:") || strstr(detail, "HTTP") || strstr(detail, "http")) return WM_END_UPGRADE;
    return WM_END_REFUSED;
}

/* How far an attempt came before it failed: what the furthest one says tells most. */
static int distance(wm_end_reason reason)
{
    return reason == WM_END_UPGRADE ? 3 : reason == WM_END_TLS ? 2 : reason == WM_END_REFUSED ? 1 : 0;
}

static void note_failure(wm_dial *d, const wm_attempt *a, const char *bytes, size_t len)
{
    char detail[160];
    snprintf(detail, sizeof detail, "%.*s", bytes ? (int)len : 0, bytes ? bytes : "");
    wm_end_reason reason = classify(detail);
    if (reason == WM_END_TLS && a->certificate_problem != NULL)
        snprintf(detail, sizeof detail, "the certificate was refused: %s", a->certificate_problem);
    if (distance(reason) <= distance(d->failure)) return;
    d->failure = reason;
    memcpy(d->failure_detail, detail, sizeof detail);
}

static void begin_next(wm_dial *d);

void wm_attempt_failed(wm_attempt *a, const char *bytes, size_t len)
{
    wm_dial *d = a->dial;
    a->failed = true;
    if (d == NULL) return;
    note_failure(d, a, bytes, len);
    d->running--;
    if (d->begun < d->addresses.count) begin_next(d);
    else if (d->running == 0) d->handlers->failed(d->user, d->failure, d->failure_detail);
}

void wm_attempt_release(wm_attempt *a)
{
    if (--a->holders > 0) return;
    if (a->dial != NULL) a->dial->attempts[a->index] = NULL;
    a->gone(a->user);
    free(a);
}

/* -- attempts ------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer);

/* The timer goes off for the next attempt, or for the end of all patience. */
static void arm(wm_dial *d)
{
    uint64_t now = uv_now(d->timer.loop);
    uint64_t wait = d->deadline_ms > now ? d->deadline_ms - now : 0;
    if (d->begun < d->addresses.count && wait > ATTEMPT_STAGGER_MS) wait = ATTEMPT_STAGGER_MS;
    uv_timer_start(&d->timer, on_timer, wait, 0);
}

/* libwebsockets is given an address, never a name: it would look the name up inside
 * this call, while the loop stands still, and try its addresses one after the other. */
static void begin_next(wm_dial *d)
{
    wm_attempt *a = calloc(1, sizeof *a);
    if (a == NULL) {
        d->handlers->failed(d->user, WM_END_LOCAL, "out of memory");
        return;
    }
    int index = d->begun++;
    *a = (wm_attempt){
        .user = d->user,
        .dial = d,
        .gone = d->handlers->gone,
        .begun_us = wm_now_us(),
        .holders = 2, /* this call, and the socket */
        .index = index,
    };
    d->attempts[index] = a;
    d->running++;
    arm(d);
    struct lws *wsi = d->handlers->begin(d->user, a, &d->url, d->addresses.text[index]);
    if (wsi == NULL && a->wsi == NULL && !a->failed) {
        /* Failed before there was a socket to report through. */
        static const char text[] = "the connection could not be set up";
        wm_attempt_failed(a, text, sizeof text - 1);
        wm_attempt_release(a);
    }
    wm_attempt_release(a);
}

static void on_timer(uv_timer_t *timer)
{
    wm_dial *d = timer->data;
    if (uv_now(timer->loop) < d->deadline_ms && d->begun < d->addresses.count) begin_next(d);
    else d->handlers->failed(d->user, WM_END_CONNECT_TIMEOUT, d->failure_detail);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    wm_dial *d = req->data;
    d->looking_up = false;
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        char text[sizeof d->addresses.text[0]];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
            wm_addresses_add(&d->addresses, text);
    }
    uv_freeaddrinfo(list);
    wm_addresses_interleave(&d->addresses);
    if (d->handlers != NULL) {
        if (d->addresses.count > 0) begin_next(d);
        else d->handlers->failed(d->user, WM_END_DNS, status < 0 ? uv_strerror(status) : "no address");
    }
    let_go(d);
}

static void on_start(uv_timer_t *timer)
{
    wm_dial *d = timer->data;
    d->deadline_ms = uv_now(timer->loop) + d->timeout_ms;
    if (d->addresses.count == 0 && wm_address_is_numeric(d->url.host)) wm_addresses_add(&d->addresses, d->url.host);
    if (d->addresses.count > 0) {
        begin_next(d);
        return;
    }
    arm(d);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    d->lookup.data = d;
    if (uv_getaddrinfo(timer->loop, &d->lookup, on_resolved, d->url.host, NULL, &hints) != 0) {
        d->handlers->failed(d->user, WM_END_DNS, "the look-up could not be started");
        return;
    }
    d->looking_up = true;
    d->pending++;
}

wm_dial *wm_dial_new(uv_loop_t *loop, const wm_url *url, const wm_addresses *addresses, uint64_t timeout_us,
                     const wm_dial_handlers *handlers, void *user)
{
    wm_dial *d = calloc(1, sizeof *d);
    if (d == NULL) return NULL;
    d->handlers = handlers;
    d->user = user;
    d->url = *url;
    d->timeout_ms = timeout_us / 1000;
    d->failure = WM_END_LOCAL;
    if (addresses != NULL) d->addresses = *addresses;
    wm_addresses_interleave(&d->addresses);
    d->pending = 1; /* the timer handle */
    uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    uv_timer_start(&d->timer, on_start, 0, 0);
    return d;
}
