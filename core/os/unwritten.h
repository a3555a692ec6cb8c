#ifndef WM_UNWRITTEN_H
#define WM_UNWRITTEN_H
#include <stddef.h>

#include "base/buffer.h"

/* Bytes that wait until a socket takes them. Zeroed: none. */
typedef struct wm_unwritten {
    wm_buffer bytes;
    size_t start; /* bytes before it are sent */
} wm_unwritten;

size_t wm_unwritten_len(const wm_unwritten *u);

/* Appends a copy. 0, or UV_ENOMEM: nothing was added. */
int wm_unwritten_add(wm_unwritten *u, const void *bytes, size_t len);

/* Sends as much as the socket takes; a socket whose other end is gone raises no SIGPIPE. 0: nothing
 * waits any more; UV_EAGAIN: the rest waits until the socket is writable; another error of send(). */
int wm_unwritten_send(wm_unwritten *u, int fd);

/* Forgets the bytes; `close` frees their memory, too. */
void wm_unwritten_clear(wm_unwritten *u);
void wm_unwritten_close(wm_unwritten *u);

#endif
