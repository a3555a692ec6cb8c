#ifndef WM_DIAL_H
#define WM_DIAL_H
#include <stddef.h>
#include <uv.h>

#include "addresses.h"
#include "transport.h"

/* The way to an open connection: the look-up of the host's name, and a race of attempts
 * at its addresses (RFC 8305), each a socket of libwebsockets, until one is established
 * or the patience is over. Apart from the connection, which lives for long and needs
 * nothing of it. */
typedef struct wm_dial wm_dial;

/* One address of the host on its way to a finished upgrade; the one that wins is there
 * as long as its socket. What libwebsockets knows a socket by (its opaque user data). */
typedef struct wm_attempt {
    void *user;                      /* the dial's */
    wm_dial *dial;                   /* NULL once the race is over */
    struct lws *wsi;                 /* NULL before it begins and after it has ended */
    const char *certificate_problem; /* a text of OpenSSL's, NULL: none */
    void (*gone)(void *user);
    uint64_t begun_us;
    int holders;
    int index;
    bool failed;
} wm_attempt;

typedef struct wm_dial_handlers {
    /* Begins the upgrade at an address, with `a` as the socket's opaque user data. NULL
     * when it could not be set up. */
    struct lws *(*begin)(void *user, wm_attempt *a, const wm_url *url, const char *address);
    /* All attempts have failed, or it took too long; `detail` is valid for the call. */
    void (*failed)(void *user, wm_end_reason reason, const char *detail);
    /* An attempt that `begin` was called for is over, its socket and memory are gone. */
    void (*gone)(void *user);
} wm_dial_handlers;

/* Begins in the next turn of the loop, with these addresses or, when there are none, with
 * those that the system's resolver knows. `handlers` have to outlive the sockets. NULL
 * when out of memory. */
wm_dial *wm_dial_new(uv_loop_t *loop, const wm_url *url, const wm_addresses *addresses, uint64_t timeout_us,
                     const wm_dial_handlers *handlers, void *user);
/* Ends the race: all sockets but the winner's (NULL: no winner) are dropped, no handler
 * but `gone` is called any more, and the dial is freed in its time. */
void wm_dial_end(wm_dial *d, const wm_attempt *winner);

/* To be called when libwebsockets says that an attempt's socket failed, or is gone
 * without having been established; the next address has its turn. */
void wm_attempt_failed(wm_attempt *a, const char *bytes, size_t len);
/* To be called once, when libwebsockets has let go of an attempt's socket. */
void wm_attempt_release(wm_attempt *a);
#endif
