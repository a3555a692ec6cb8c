#ifndef WM_STREAM_H
#define WM_STREAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

/* A local socket, listening or connected, for people and programs that look at this
 * process: a control socket, an attached prompt, a scrape of metrics. Nothing that
 * the client sends to a cluster goes this way. Never blocks and calls nothing;
 * errors are negative libuv codes. Single-threaded, like its loop. */
typedef struct wm_stream wm_stream;

/* Written and not yet taken by the peer; wm_stream_write refuses more. */
#define WM_STREAM_UNWRITTEN_MAX (16u << 20)

/* `path` for a socket in the file system, else `host`, an IPv4 or IPv6 address (no
 * name: resolving would block), and `port`. */
typedef struct wm_stream_address {
    const char *path;
    const char *host;
    uint16_t port; /* 0: the system chooses one */
} wm_stream_address;

/* Listens. A file at `path` that no process listens on any more is replaced; it has
 * `mode` before the first connection is taken, and goes with wm_stream_free. 0,
 * UV_EADDRINUSE, UV_EINVAL for an address that cannot be read, and other errors. */
int wm_stream_listen(wm_loop *loop, const wm_stream_address *address, unsigned mode, wm_stream **out);
/* Starts connecting; the first read or write tells how it went. */
int wm_stream_connect(wm_loop *loop, const wm_stream_address *address, wm_stream **out);
/* Takes one connection that waits: 0, UV_EAGAIN when there is none. */
int wm_stream_accept(wm_stream *listener, wm_stream **out);
/* Closes and frees; what is not written by then is gone. The last bytes of memory go
 * when the loop has turned. `loop_closed`: the loop was freed before this. */
void wm_stream_free(wm_stream *s, bool loop_closed);

/* The port of a TCP listener, 0 for others. */
uint16_t wm_stream_port(const wm_stream *s);
/* Up to `size` bytes; 0 at the end, UV_EAGAIN when there is nothing yet. */
ptrdiff_t wm_stream_read(wm_stream *s, void *bytes, size_t size);
/* Writes what the socket takes and keeps the rest. 0; UV_ENOBUFS: over
 * WM_STREAM_UNWRITTEN_MAX, nothing was queued; UV_ENOMEM; the error of the socket. */
int wm_stream_write(wm_stream *s, const void *bytes, size_t len);
size_t wm_stream_unwritten(const wm_stream *s);
/* wm_stream_changes grows once there is something to read or to accept. */
void wm_stream_watch(wm_stream *s);
/* Grows when what was watched for came, when everything is written, when it failed. */
uint32_t wm_stream_changes(const wm_stream *s);
#endif
