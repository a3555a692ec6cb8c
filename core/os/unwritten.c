#include "os/unwritten.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

size_t wm_unwritten_len(const wm_unwritten *u)
{
    return u->bytes.len - u->start;
}

int wm_unwritten_add(wm_unwritten *u, const void *bytes, size_t len)
{
    wm_buffer_consume(&u->bytes, u->start);
    u->start = 0;
    uint8_t *room = wm_buffer_reserve(&u->bytes, len);
    if (room == NULL) {
        u->bytes.failed = false;
        return UV_ENOMEM;
    }
    memcpy(room, bytes, len);
    u->bytes.len += len;
    return 0;
}

int wm_unwritten_send(wm_unwritten *u, int fd)
{
    while (wm_unwritten_len(u) > 0) {
        ssize_t n = send(fd, u->bytes.data + u->start, wm_unwritten_len(u), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EWOULDBLOCK ? UV_EAGAIN : -errno;
        u->start += (size_t)n;
    }
    wm_unwritten_clear(u);
    return 0;
}

void wm_unwritten_clear(wm_unwritten *u)
{
    wm_buffer_clear(&u->bytes);
    u->start = 0;
}

void wm_unwritten_close(wm_unwritten *u)
{
    wm_buffer_close(&u->bytes);
    u->start = 0;
}
