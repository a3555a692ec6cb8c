#include "net/dial.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Time without an answer after which the next address is tried as well (the value that RFC 8305, section
 * 8, recommends). */
#define ATTEMPT_STAGGER_MS 250
#define DETAIL_MAX 640

/* Freed once its timer handle is closed and its name look-up is over. */
struct wm_dial {
    wm_loop *loop;
    const wm_dial_handlers *handlers; /* NULL once the race is over */
    void *user;
    wm_url url;
    wm_tls_settings *tls;
    const char *proxy_option;
    wm_proxy proxy;
    bool has_proxy;
    uv_timer_t timer; /* the start, the next attempt, the connect timeout */
    uint64_t timeout_ms;
    uint64_t deadline_ms; /* by the loop's clock */
    uv_getaddrinfo_t lookup;
    bool looking_up;
    wm_addresses addresses;
    wm_attempt *attempts[WM_ADDRESSES_MAX]; /* by address; NULL: not begun, or over */
    int begun;                              /* attempts that were begun */
    int running;                            /* attempts that have neither won nor failed */
    wm_end_reason failure;                  /* of the failed attempt that got furthest; WM_END_LOCAL: none has failed */
    char failure_detail[DETAIL_MAX];
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

void wm_dial_end(wm_dial *d)
{
    if (d->handlers == NULL) return;
    d->handlers = NULL;
    for (int i = 0; i < d->begun; i++) wm_attempt_free(d->attempts[i]);
    if (d->looking_up && wm_loop_is_ours(d->loop)) uv_cancel((uv_req_t *)&d->lookup);
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

const wm_proxy *wm_dial_proxy(const wm_dial *d)
{
    return d->has_proxy ? &d->proxy : NULL;
}

/* -- how it fails ------------------------------------------------------------------ */

static void give_up(wm_dial *d, wm_end_reason reason, const char *detail)
{
    const wm_dial_handlers *handlers = d->handlers;
    void *user = d->user;
    d->pending++; /* `detail` may point into the dial */
    wm_dial_end(d);
    handlers->failed(user, reason, detail);
    let_go(d);
}

/* How far an attempt got before it failed: the failure of the furthest one says most. */
static int distance(wm_end_reason reason)
{
    switch (reason) {
    case WM_END_UPGRADE: return 4;
    case WM_END_TLS: return 3;
    case WM_END_PROXY: return 2;
    case WM_END_REFUSED: return 1;
    default: return 0;
    }
}

static void note_failure(wm_dial *d, wm_end_reason reason, const char *detail)
{
    if (d->failure != WM_END_LOCAL && distance(reason) <= distance(d->failure)) return;
    d->failure = reason;
    snprintf(d->failure_detail, sizeof d->failure_detail, "%s", detail);
}

/* -- attempts ------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer);

/* Sets the timer for the next attempt, or for the connect timeout. */
static void arm(wm_dial *d)
{
    uint64_t now = uv_now(d->timer.loop);
    uint64_t wait = d->deadline_ms > now ? d->deadline_ms - now : 0;
    if (d->begun < d->addresses.count && wait > ATTEMPT_STAGGER_MS) wait = ATTEMPT_STAGGER_MS;
    uv_timer_start(&d->timer, on_timer, wait, 0);
}

static void forget(wm_dial *d, wm_attempt *a)
{
    for (int i = 0; i < d->begun; i++)
        if (d->attempts[i] == a) d->attempts[i] = NULL;
    wm_attempt_free(a);
    d->running--;
}

static void begin_next(wm_dial *d);

static void on_attempt_opened(void *user, wm_attempt *a, wm_channel *channel, const uint8_t *early, size_t len, uint64_t tls_us)
{
    wm_dial *d = user;
    (void)a; /* freed with the others, as `early` is its own */
    d->pending++;
    d->handlers->opened(d->user, channel, early, len, tls_us);
    wm_dial_end(d);
    let_go(d);
}

static void on_attempt_failed(void *user, wm_attempt *a, wm_end_reason reason, const char *detail)
{
    wm_dial *d = user;
    note_failure(d, reason, detail);
    forget(d, a);
    begin_next(d);
}

static const wm_attempt_handlers attempt_handlers = {on_attempt_opened, on_attempt_failed};

/* Begins the next attempt. If no address is left and no attempt is running, the dial has failed. */
static void begin_next(wm_dial *d)
{
    char detail[DETAIL_MAX];
    while (d->begun < d->addresses.count) {
        int index = d->begun++;
        wm_attempt_target target = {&d->url, wm_dial_proxy(d), d->tls, d->addresses.text[index]};
        d->attempts[index] = wm_attempt_new(d->loop, &target, &attempt_handlers, d, detail, sizeof detail);
        if (d->attempts[index] != NULL) {
            d->running++;
            arm(d);
            return;
        }
        note_failure(d, d->has_proxy ? WM_END_PROXY : WM_END_REFUSED, detail);
    }
    if (d->running == 0) give_up(d, d->failure, d->failure_detail);
}

static void on_timer(uv_timer_t *timer)
{
    wm_dial *d = timer->data;
    if (uv_now(timer->loop) < d->deadline_ms && d->begun < d->addresses.count) begin_next(d);
    else give_up(d, WM_END_CONNECT_TIMEOUT, d->has_proxy && d->failure_detail[0] == 0 ? d->proxy.name : d->failure_detail);
}

/* -- names ----------------------------------------------------------------------------- */

static void give_up_without_address(wm_dial *d, const char *problem)
{
    char detail[DETAIL_MAX];
    if (d->has_proxy) {
        snprintf(detail, sizeof detail, "%s%s%s: %s", d->proxy.name, d->proxy.named_by ? " of " : "",
                 d->proxy.named_by ? d->proxy.named_by : "", problem);
        give_up(d, WM_END_PROXY, detail);
    } else {
        give_up(d, WM_END_DNS, problem);
    }
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
        else give_up_without_address(d, status < 0 ? uv_strerror(status) : "no address");
    }
    let_go(d);
}

static void look_up(wm_dial *d, const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    d->lookup.data = d;
    arm(d);
    if (uv_getaddrinfo(d->timer.loop, &d->lookup, on_resolved, host, NULL, &hints) != 0) {
        give_up_without_address(d, "the look-up could not be started");
        return;
    }
    d->looking_up = true;
    d->pending++;
}

/* False when what was named is no proxy. */
static bool choose_proxy(wm_dial *d)
{
    wm_proxy_choice choice = wm_proxy_for(&d->url, d->proxy_option, &d->proxy);
    d->has_proxy = choice == WM_PROXY_USED;
    if (d->has_proxy) d->addresses.count = 0; /* the proxy resolves the name of the node */
    return choice != WM_PROXY_WRONG;
}

/* Whether a proxy that only the environment names would read a token in the URL's query. */
static bool shows_query(const wm_dial *d)
{
    return d->has_proxy && d->proxy.named_by != NULL && !d->url.tls && strchr(d->url.path, '?') != NULL;
}

static void on_start(uv_timer_t *timer)
{
    wm_dial *d = timer->data;
    char detail[DETAIL_MAX];
    d->deadline_ms = uv_now(timer->loop) + d->timeout_ms;
    if (!choose_proxy(d)) {
        snprintf(detail, sizeof detail, "%s does not name a proxy as http://host:port",
                 d->proxy.named_by ? d->proxy.named_by : "the option proxy");
        give_up(d, WM_END_PROXY, detail);
        return;
    }
    if (shows_query(d)) {
        snprintf(detail, sizeof detail,
                 "%s of %s would see the query of the URL, where a token may be: use wss://, or name the proxy by the option "
                 "proxy, or the host by no_proxy",
                 d->proxy.name, d->proxy.named_by);
        give_up(d, WM_END_PROXY, detail);
        return;
    }
    const char *host = d->has_proxy ? d->proxy.at.host : d->url.host;
    if (d->addresses.count == 0 && wm_address_is_numeric(host)) wm_addresses_add(&d->addresses, host);
    if (d->addresses.count > 0) begin_next(d);
    else look_up(d, host);
}

wm_dial *wm_dial_new(wm_loop *loop, const wm_dial_target *target, const wm_dial_handlers *handlers, void *user)
{
    wm_dial *d = calloc(1, sizeof *d);
    if (d == NULL) return NULL;
    d->loop = loop;
    d->handlers = handlers;
    d->user = user;
    d->url = *target->url;
    d->tls = target->tls;
    d->proxy_option = target->proxy;
    d->timeout_ms = target->timeout_us / 1000;
    d->failure = WM_END_LOCAL;
    if (target->addresses != NULL) d->addresses = *target->addresses;
    wm_addresses_interleave(&d->addresses);
    d->pending = 1; /* the timer handle */
    uv_timer_init(wm_loop_uv(loop), &d->timer);
    d->timer.data = d;
    uv_timer_start(&d->timer, on_start, 0, 0);
    return d;
}
