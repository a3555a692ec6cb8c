#include "net/channel.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long an orderly close may take. */
#define FAREWELL_MS 1000
#define FAREWELL_READ_BYTES 4096

struct wm_channel {
    uv_poll_t poll;
    wm_loop *loop;
    int fd;
    int events;             /* what libuv waits for */
    bool reading, writing;  /* what the owner waits for */
    wm_channel_ready ready; /* NULL once closed */
    void *user;
    wm_tls *tls; /* NULL: none */
};

/* -- opening -- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static int connect_socket(int fd, const char *address, int port)
{
    char service[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(address, service, &hints, &found) != 0) return -EINVAL;
    int result = connect(fd, found->ai_addr, found->ai_addrlen);
    int error = errno;
    freeaddrinfo(found);
    return result == 0 || error == EINPROGRESS ? 0 : -error;
}

/* Programs that this process starts do not inherit the descriptor. */
static int new_socket(const char *address)
{
    int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET, on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* messages are batched here, so the kernel need not wait for more */
    return fd;
}

int wm_channel_open(wm_loop *loop, const char *address, int port, wm_channel_ready ready, void *user, wm_channel **out)
{
    *out = NULL;
    wm_channel *c = calloc(1, sizeof *c);
    if (c == NULL) return -ENOMEM;
    c->fd = new_socket(address);
    int result = c->fd < 0 ? c->fd : connect_socket(c->fd, address, port);
    if (result == 0) result = uv_poll_init(wm_loop_uv(loop), &c->poll, c->fd);
    if (result < 0) {
        if (c->fd >= 0) close(c->fd);
        free(c);
        return result;
    }
    c->loop = loop;
    c->ready = ready;
    c->user = user;
    c->poll.data = c;
    wm_channel_watch(c, false, true);
    *out = c;
    return 0;
}

void wm_channel_pass_on(wm_channel *c, wm_channel_ready ready, void *user)
{
    c->ready = ready;
    c->user = user;
}

/* -- waiting -- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    wm_channel *c = poll->data;
    (void)events;
    if (status < 0) c->events = 0; /* an error of the socket's, for which libuv has stopped to wait */
    wm_loop_note_activity(c->loop);
    c->ready(c->user);
}

/* TLS may have to write before it can read, or read before it can write. */
static void update_poll(wm_channel *c)
{
    bool waits_to_write = c->tls != NULL && wm_tls_waits_to_write(c->tls);
    int events = (c->reading ? UV_READABLE : 0) | (c->writing || (waits_to_write && c->reading) ? UV_WRITABLE : 0);
    if (events == c->events) return;
    c->events = events;
    if (events == 0) uv_poll_stop(&c->poll);
    else uv_poll_start(&c->poll, events, on_poll);
}

void wm_channel_watch(wm_channel *c, bool reading, bool writing)
{
    c->reading = reading;
    c->writing = writing;
    update_poll(c);
}

/* -- bytes -- */

int wm_channel_connected(const wm_channel *c)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return -error;
}

bool wm_channel_start_tls(wm_channel *c, wm_tls_settings *settings, const char *host, char *error, size_t size)
{
    c->tls = wm_tls_new(settings, c->fd, host, error, size);
    return c->tls != NULL;
}

int wm_channel_handshake(wm_channel *c)
{
    int result = wm_tls_handshake(c->tls);
    if (result == -EAGAIN) wm_channel_watch(c, !wm_tls_waits_to_write(c->tls), wm_tls_waits_to_write(c->tls));
    return result;
}

ssize_t wm_channel_read(wm_channel *c, void *bytes, size_t size)
{
    if (c->tls != NULL) {
        ssize_t read = wm_tls_read(c->tls, bytes, size);
        update_poll(c);
        return read;
    }
    ssize_t n;
    do n = recv(c->fd, bytes, size, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Acknowledges segments at once from here on, until the kernel finds that the connection
 * is interactive, which a write makes it find. A v2 server does not set TCP_NODELAY: it
 * holds back a small message until the last one is acknowledged, and a delayed
 * acknowledgement comes after 40 ms (tcp(7); TCP_DELACK_MIN in Linux's include/net/tcp.h).
 * Once after each write gains as much as once after each read, and who only listens pays
 * nothing. */
static void acknowledge_at_once(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

ssize_t wm_channel_write(wm_channel *c, const void *bytes, size_t len)
{
    ssize_t n;
    if (c->tls != NULL) {
        n = wm_tls_write(c->tls, bytes, len);
    } else {
        do n = send(c->fd, bytes, len, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0) n = -errno;
    }
    if (n > 0) acknowledge_at_once(c->fd);
    return n;
}

size_t wm_channel_unread(const wm_channel *c)
{
    int bytes = 0;
    if (ioctl(c->fd, FIONREAD, &bytes) < 0 || bytes < 0) bytes = 0;
    return (size_t)bytes + wm_channel_has_pending(c);
}

bool wm_channel_has_pending(const wm_channel *c)
{
    return c->tls != NULL && wm_tls_has_pending(c->tls);
}

const char *wm_channel_problem(const wm_channel *c, ssize_t result)
{
    if (result == -EPROTO && c->tls != NULL) return wm_tls_problem(c->tls);
    return uv_strerror((int)result);
}

/* -- closing -- */

void wm_channel_close(wm_channel *c)
{
    /* In a forked child the socket is the parent's, which goes on using it: nothing may be sent. */
    bool ours = wm_loop_is_ours(c->loop);
    c->ready = NULL;
    if (c->tls != NULL && ours) wm_tls_shutdown(c->tls);
    wm_tls_free(c->tls);
    uv_close((uv_handle_t *)&c->poll, on_closed); /* before the descriptor, as libuv asks */
    close(c->fd);
}

/* A channel that is being closed and has no owner any more. */
typedef struct farewell {
    wm_channel *channel;
    wm_buffer rest;
    uv_timer_t timer;
    wm_loop_end_hook end_hook;
} farewell;

static void on_timer_closed(uv_handle_t *handle)
{
    farewell *f = handle->data;
    wm_buffer_close(&f->rest);
    free(f);
}

static void end_farewell(farewell *f)
{
    wm_loop_remove_end_hook(&f->end_hook);
    wm_channel_close(f->channel);
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}

static void on_farewell_timer(uv_timer_t *timer)
{
    end_farewell(timer->data);
}

static void on_loop_end(void *user)
{
    end_farewell(user);
}

/* False when writing has failed for good. */
static bool write_rest(farewell *f)
{
    while (f->rest.len > 0) {
        ssize_t n = wm_channel_write(f->channel, f->rest.data, f->rest.len);
        if (n == -EAGAIN) return true;
        if (n < 0) return false;
        wm_buffer_consume(&f->rest, (size_t)n);
    }
    return true;
}

/* False once the other side has closed. */
static bool read_and_forget(wm_channel *c)
{
    uint8_t bytes[FAREWELL_READ_BYTES];
    ssize_t n;
    do n = wm_channel_read(c, bytes, sizeof bytes);
    while (n > 0);
    return n == -EAGAIN;
}

static void go_on(void *user)
{
    farewell *f = user;
    if (!write_rest(f) || !read_and_forget(f->channel)) end_farewell(f);
    else wm_channel_watch(f->channel, true, f->rest.len > 0);
}

void wm_channel_close_in_order(wm_channel *c, wm_buffer *rest)
{
    farewell *f = wm_loop_is_ours(c->loop) ? calloc(1, sizeof *f) : NULL;
    if (f == NULL) {
        wm_buffer_close(rest);
        wm_channel_close(c);
        return;
    }
    f->channel = c;
    f->rest = *rest;
    wm_buffer_init(rest);
    uv_timer_init(wm_loop_uv(c->loop), &f->timer);
    f->timer.data = f;
    uv_timer_start(&f->timer, on_farewell_timer, FAREWELL_MS, 0);
    f->end_hook = (wm_loop_end_hook){.end = on_loop_end, .user = f};
    wm_loop_add_end_hook(c->loop, &f->end_hook);
    wm_channel_pass_on(c, go_on, f);
    go_on(f);
}
