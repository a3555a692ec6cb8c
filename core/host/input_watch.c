#include "host/input_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct input_watch {
    uv_poll_t poll;
    bool can_poll; /* a file cannot be polled: it is always readable */
    bool watching;
};

/* The script reads. Until then the watch is off, as further events would keep the loop busy. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    input_watch *w = poll->data;
    uv_poll_stop(poll);
    w->watching = false;
}

input_watch *input_watch_new(uv_loop_t *loop)
{
    input_watch *w = calloc(1, sizeof *w);
    if (w == NULL) return NULL;
    /* libuv makes the descriptor non-blocking, and with it all that share the terminal: our standard
     * output, and the shell that waits for us. So it is made blocking again, and reading polls first. */
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    w->can_poll = uv_poll_init(loop, &w->poll, STDIN_FILENO) == 0;
    if (flags != -1) fcntl(STDIN_FILENO, F_SETFL, flags);
    w->poll.data = w;
    return w;
}

static void free_watch(uv_handle_t *handle)
{
    free(handle->data);
}

void input_watch_close(input_watch *w)
{
    if (w == NULL) return;
    if (w->can_poll) uv_close((uv_handle_t *)&w->poll, free_watch);
    else free(w);
}

void input_watch_set(input_watch *w, bool watching)
{
    if (!w->can_poll || watching == w->watching) return;
    w->watching = watching;
    if (watching) uv_poll_start(&w->poll, UV_READABLE, on_readable);
    else uv_poll_stop(&w->poll);
}

long input_watch_read(input_watch *w, char *bytes, size_t size)
{
    (void)w;
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&fd, 1, 0) <= 0) return 0;
    ssize_t n = read(STDIN_FILENO, bytes, size);
    if (n > 0) return n;
    if (n == 0) return INPUT_ENDED;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}
