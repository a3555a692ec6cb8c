#include "os/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/forks.h"
#include "os/unwritten.h"

#define BACKLOG 64

struct wm_stream {
    uv_poll_t poll;
    wm_loop *loop;
    unsigned forks; /* the value of wm_forks when it was made */
    int fd;
    int error; /* the socket's error, once a write has failed */
    bool is_watched;
    wm_unwritten unwritten;
    uint32_t changes;
    char *path; /* of a listener: its file, removed only while it is the one with these numbers */
    dev_t device;
    ino_t inode;
};

static void release(wm_stream *s)
{
    wm_unwritten_close(&s->unwritten);
    free(s->path);
    free(s);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

/* -- what the poll waits for -- */

static void on_ready(uv_poll_t *poll, int status, int events);

static void update_poll(wm_stream *s)
{
    int events = (s->is_watched ? UV_READABLE : 0) | (wm_stream_unwritten(s) > 0 ? UV_WRITABLE : 0);
    if (events == 0) uv_poll_stop(&s->poll);
    else uv_poll_start(&s->poll, events, on_ready);
}

static void fail(wm_stream *s, int error)
{
    s->error = error;
    wm_unwritten_clear(&s->unwritten);
    s->changes++;
}

static void flush(wm_stream *s)
{
    int err = wm_unwritten_send(&s->unwritten, s->fd);
    if (err == 0) s->changes++;
    else if (err != UV_EAGAIN) fail(s, err);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    wm_stream *s = poll->data;
    /* libuv reports every error of a socket as EBADF, and does not poll it any more. Bytes that were
     * received before it can still be read, and the calls below return the error itself. */
    if (events & UV_READABLE || status < 0) {
        s->is_watched = false;
        s->changes++;
    }
    if (events & UV_WRITABLE || status < 0) flush(s);
    if (status == 0) update_poll(s);
}

/* -- addresses -- */

typedef union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
} socket_address;

static int make_address(const wm_stream_address *address, socket_address *out, socklen_t *len)
{
    memset(out, 0, sizeof *out);
    if (address->path != NULL) {
        if (strlen(address->path) >= sizeof out->local.sun_path) return UV_ENAMETOOLONG;
        out->local.sun_family = AF_UNIX;
        strcpy(out->local.sun_path, address->path);
        *len = sizeof out->local;
        return 0;
    }
    *len = sizeof out->v4;
    if (uv_ip4_addr(address->host, address->port, &out->v4) == 0) return 0;
    *len = sizeof out->v6;
    return uv_ip6_addr(address->host, address->port, &out->v6);
}

/* Takes `fd`, also when it fails. */
static int wrap(wm_loop *loop, int fd, wm_stream **out)
{
    wm_stream *s = calloc(1, sizeof *s);
    int err = s == NULL ? UV_ENOMEM : uv_poll_init(wm_loop_uv(loop), &s->poll, fd);
    if (err != 0) {
        close(fd);
        free(s);
        return err;
    }
    s->poll.data = s;
    s->loop = loop;
    s->forks = wm_forks();
    s->fd = fd;
    *out = s;
    return 0;
}

static int open_socket(const socket_address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

/* -- listening -- */

/* Whether the file is a socket that a process left when it died: nobody listens on it. */
static bool is_stale(const socket_address *address, socklen_t len)
{
    struct stat status;
    if (lstat(address->local.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
    int fd = open_socket(address);
    if (fd < 0) return false;
    bool refused = connect(fd, &address->any, len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_socket(int fd, const socket_address *address, socklen_t len)
{
    int on = 1;
    bool is_local = address->any.sa_family == AF_UNIX;
    if (!is_local) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &address->any, len) == 0) return 0;
    if (errno != EADDRINUSE || !is_local || !is_stale(address, len)) return -errno;
    unlink(address->local.sun_path);
    return bind(fd, &address->any, len) == 0 ? 0 : -errno;
}

static int keep_path(wm_stream *s, const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0) return -errno;
    s->device = status.st_dev;
    s->inode = status.st_ino;
    s->path = strdup(path);
    return s->path != NULL ? 0 : UV_ENOMEM;
}

int wm_stream_listen(wm_loop *loop, const wm_stream_address *address, unsigned mode, wm_stream **out)
{
    socket_address where;
    socklen_t len;
    *out = NULL;
    int err = make_address(address, &where, &len);
    if (err != 0) return err;
    int fd = open_socket(&where);
    if (fd < 0) return fd;
    err = bind_socket(fd, &where, len);
    if (err != 0) {
        close(fd);
        return err;
    }
    wm_stream *s;
    err = wrap(loop, fd, &s);
    if (err != 0) return err;
    if (address->path != NULL) err = keep_path(s, address->path);
    /* Sets the mode before listen(): until then nobody can connect. */
    if (err == 0 && address->path != NULL && chmod(address->path, mode) != 0) err = -errno;
    if (err == 0 && listen(fd, BACKLOG) != 0) err = -errno;
    if (err != 0) wm_stream_free(s, false);
    else *out = s;
    return err;
}

int wm_stream_accept(wm_stream *listener, wm_stream **out)
{
    *out = NULL;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return errno == ECONNABORTED || errno == EINTR ? UV_EAGAIN : -errno;
    return wrap(listener->loop, fd, out);
}

uint16_t wm_stream_port(const wm_stream *s)
{
    socket_address where;
    socklen_t len = sizeof where;
    if (getsockname(s->fd, &where.any, &len) != 0) return 0;
    if (where.any.sa_family == AF_INET) return ntohs(where.v4.sin_port);
    return where.any.sa_family == AF_INET6 ? ntohs(where.v6.sin6_port) : 0;
}

/* -- connections -- */

int wm_stream_connect(wm_loop *loop, const wm_stream_address *address, wm_stream **out)
{
    socket_address where;
    socklen_t len;
    *out = NULL;
    int err = make_address(address, &where, &len);
    if (err != 0) return err;
    int fd = open_socket(&where);
    if (fd < 0) return fd;
    if (connect(fd, &where.any, len) != 0 && errno != EINPROGRESS) {
        err = -errno;
        close(fd);
        return err;
    }
    return wrap(loop, fd, out);
}

ptrdiff_t wm_stream_read(wm_stream *s, void *bytes, size_t size)
{
    if (s->error != 0) return s->error;
    ssize_t n = recv(s->fd, bytes, size, MSG_DONTWAIT);
    if (n >= 0) return n;
    /* ENOTCONN: still connecting. */
    return errno == EINTR || errno == ENOTCONN ? UV_EAGAIN : -errno;
}

int wm_stream_write(wm_stream *s, const void *bytes, size_t len)
{
    if (s->error != 0) return s->error;
    if (len > WM_STREAM_UNWRITTEN_MAX - wm_stream_unwritten(s)) return UV_ENOBUFS;
    int err = wm_unwritten_add(&s->unwritten, bytes, len);
    if (err != 0) return err;
    flush(s);
    update_poll(s);
    return s->error;
}

size_t wm_stream_unwritten(const wm_stream *s)
{
    return wm_unwritten_len(&s->unwritten);
}

void wm_stream_watch(wm_stream *s)
{
    if (s->is_watched) return;
    s->is_watched = true;
    update_poll(s);
}

uint32_t wm_stream_changes(const wm_stream *s)
{
    return s->changes;
}

static void remove_path(const wm_stream *s)
{
    struct stat status;
    if (s->path == NULL || lstat(s->path, &status) != 0) return;
    if (status.st_dev == s->device && status.st_ino == s->inode) unlink(s->path);
}

void wm_stream_free(wm_stream *s, bool loop_closed)
{
    if (s == NULL) return;
    if (!loop_closed) wm_loop_is_ours(s->loop); /* in a child of a fork: the parent's descriptors stay open */
    if (s->forks == wm_forks()) remove_path(s);
    if (!loop_closed) uv_close((uv_handle_t *)&s->poll, on_closed); /* before the descriptor, as libuv asks */
    close(s->fd);
    if (loop_closed) release(s);
}
