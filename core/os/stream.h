#ifndef WM_STREAM_H
#define WM_STREAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

/* A listening or connected stream socket for tools: control sockets, attached prompts, scrapes of
 * metrics. Connections to clusters do not use it. It never blocks and has no callbacks; errors are
 * negative libuv codes. Single-threaded, like its loop. */
typedef struct wm_stream wm_stream;

/* Limit of bytes that the socket has not accepted; wm_stream_write refuses more. */
#define WM_STREAM_UNWRITTEN_MAX (16u << 20)

/* `path` of a socket in the file system; or `host`, an IPv4 or IPv6 address (not a name: resolving
 * would block), and `port`. */
typedef struct wm_stream_address {
    const char *path;
    const char *host;
    uint16_t port; /* 0: the system chooses one */
} wm_stream_address;

/* Listens. A socket file at `path` on which no process listens is replaced. The new one has `mode`
 * before the first connection is accepted, and is removed by wm_stream_free. 0; UV_EADDRINUSE;
 * UV_EINVAL for an invalid address; or another error. */
int wm_stream_listen(wm_loop *loop, const wm_stream_address *address, unsigned mode, wm_stream **out);
/* Starts to connect; 0 or an error. The first read or write reports whether connecting succeeded. */
int wm_stream_connect(wm_loop *loop, const wm_stream_address *address, wm_stream **out);
/* Accepts one waiting connection. 0; UV_EAGAIN when there is none. */
int wm_stream_accept(wm_stream *listener, wm_stream **out);
/* Closes and frees; drops bytes that are not written. Some memory is freed in the next iteration of the
 * loop. `loop_closed`: the loop was freed before. */
void wm_stream_free(wm_stream *s, bool loop_closed);

/* The port of a TCP listener, 0 for others. */
uint16_t wm_stream_port(const wm_stream *s);
/* Reads up to `size` bytes and returns their number; 0 at the end; UV_EAGAIN when there are none yet. */
ptrdiff_t wm_stream_read(wm_stream *s, void *bytes, size_t size);
/* Writes bytes, and keeps those that the socket does not accept yet. 0; UV_ENOBUFS: above
 * WM_STREAM_UNWRITTEN_MAX, and nothing was queued; UV_ENOMEM; or the error of the socket. */
int wm_stream_write(wm_stream *s, const void *bytes, size_t len);
/* Bytes that the socket has not accepted yet. */
size_t wm_stream_unwritten(const wm_stream *s);
/* Lets wm_stream_changes grow once there are bytes to read or a connection to accept. */
void wm_stream_watch(wm_stream *s);
/* A counter that grows at the event of wm_stream_watch, when all bytes are written, and at a failure. */
uint32_t wm_stream_changes(const wm_stream *s);
#endif
