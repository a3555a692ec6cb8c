#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/forks.h"
#include "os/unwritten.h"

#define READ_CHUNK (64u << 10)

typedef struct output {
    uv_pipe_t pipe;
    wm_buffer bytes;
    size_t start; /* bytes before it were read by the script */
    bool captured;
    bool ended;
    bool paused;
} output;

struct wm_process {
    uv_process_t handle;
    output outputs[WM_PROCESS_STREAMS];
    uv_poll_t input_poll;
    int input_fd; /* -1: closed */
    bool input_closing;
    wm_unwritten input;
    wm_loop *loop;
    unsigned forks; /* the value of wm_forks when it was started: it is this process's child only while that is the same */
    int pid;
    int exit_code;
    int exit_signal;
    bool has_handle;
    bool exited;
    bool freed;
    unsigned open_handles; /* libuv holds them until their close callbacks */
    uint32_t changes;
};

static void release(wm_process *p)
{
    for (int i = 0; i < WM_PROCESS_STREAMS; i++) wm_buffer_close(&p->outputs[i].bytes);
    wm_unwritten_close(&p->input);
    free(p);
}

static void on_closed(uv_handle_t *handle)
{
    wm_process *p = handle->data;
    if (--p->open_handles == 0 && p->freed) release(p);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

/* -- standard input: a socket of our own, because libuv's pipes would raise
 * SIGPIPE when the child is gone -- */

static void close_input(wm_process *p)
{
    if (p->input_fd < 0) return;
    close_handle((uv_handle_t *)&p->input_poll);
    close(p->input_fd);
    p->input_fd = -1;
    wm_unwritten_close(&p->input);
}

size_t wm_process_unwritten(const wm_process *p)
{
    return wm_unwritten_len(&p->input);
}

static void on_writable(uv_poll_t *poll, int status, int events);

static void flush_input(wm_process *p)
{
    int err = wm_unwritten_send(&p->input, p->input_fd);
    if (err == UV_EAGAIN) {
        uv_poll_start(&p->input_poll, UV_WRITABLE, on_writable);
        return;
    }
    p->changes++;
    if (err == 0) uv_poll_stop(&p->input_poll);
    if (err != 0 || p->input_closing) close_input(p);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    wm_process *p = poll->data;
    (void)events;
    if (status < 0) {
        close_input(p);
        p->changes++;
    } else {
        flush_input(p);
    }
}

int wm_process_write(wm_process *p, const void *bytes, size_t len)
{
    if (p->input_fd < 0 || p->input_closing) return UV_EPIPE;
    if (len > WM_PROCESS_INPUT_MAX - wm_process_unwritten(p)) return UV_ENOBUFS;
    int err = wm_unwritten_add(&p->input, bytes, len);
    if (err != 0) return err;
    flush_input(p);
    return p->input_fd < 0 ? UV_EPIPE : 0;
}

void wm_process_close_stdin(wm_process *p)
{
    if (p->input_fd < 0) return;
    p->input_closing = true;
    if (wm_process_unwritten(p) == 0) close_input(p);
}

/* -- standard output and error -- */

static output *output_of(uv_handle_t *pipe)
{
    return (output *)pipe; /* its first member */
}

static void give_room(uv_handle_t *pipe, size_t suggested, uv_buf_t *buf)
{
    output *o = output_of(pipe);
    (void)suggested;
    if (o->start > o->bytes.len / 2) {
        wm_buffer_consume(&o->bytes, o->start);
        o->start = 0;
    }
    uint8_t *room = wm_buffer_reserve(&o->bytes, READ_CHUNK);
    o->bytes.failed = false;
    *buf = uv_buf_init((char *)room, room ? READ_CHUNK : 0); /* 0: the read fails with UV_ENOBUFS */
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    output *o = output_of((uv_handle_t *)stream);
    wm_process *p = stream->data;
    (void)buf;
    if (n == 0) return; /* as EAGAIN */
    p->changes++;
    if (n < 0) {
        o->ended = true;
        close_handle((uv_handle_t *)&o->pipe);
        return;
    }
    o->bytes.len += (size_t)n;
    if (o->bytes.len - o->start >= WM_PROCESS_OUTPUT_MAX) {
        o->paused = true;
        uv_read_stop(stream);
    }
}

const char *wm_process_output(const wm_process *p, wm_process_stream stream, size_t *len)
{
    const output *o = &p->outputs[stream];
    *len = o->bytes.len - o->start;
    return *len ? (const char *)o->bytes.data + o->start : "";
}

void wm_process_consume(wm_process *p, wm_process_stream stream, size_t len)
{
    output *o = &p->outputs[stream];
    o->start += len;
    if (o->start == o->bytes.len) {
        wm_buffer_clear(&o->bytes);
        o->start = 0;
    }
    if (o->paused && o->bytes.len - o->start <= WM_PROCESS_OUTPUT_MAX / 2) {
        o->paused = false;
        uv_read_start((uv_stream_t *)&o->pipe, give_room, on_read);
    }
}

bool wm_process_ended(const wm_process *p, wm_process_stream stream)
{
    return p->outputs[stream].ended;
}

/* -- life -- */

static void on_exit_status(uv_process_t *handle, int64_t status, int signal_number)
{
    wm_process *p = handle->data;
    p->exited = true;
    p->exit_code = (int)status;
    p->exit_signal = signal_number;
    p->changes++;
    close_input(p);
    close_handle((uv_handle_t *)handle);
}

int wm_process_pid(const wm_process *p)
{
    return p->pid;
}

uint32_t wm_process_changes(const wm_process *p)
{
    return p->changes;
}

int wm_process_kill(wm_process *p, int signal_number)
{
    return p->exited || p->forks != wm_forks() ? UV_ESRCH : uv_process_kill(&p->handle, signal_number);
}

bool wm_process_exited(const wm_process *p, int *code, int *signal_number)
{
    *code = p->exit_code;
    *signal_number = p->exit_signal;
    return p->exited;
}

extern char **environ;

static bool same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return strcspn(b, "=") == len && memcmp(a, b, len) == 0;
}

static bool is_replaced(const char *entry, const char *const *added)
{
    for (; *added; added++) {
        if (same_name(entry, *added)) return true;
    }
    return false;
}

/* The environment of this process with `added` in place of or beside its variables. Only the array is new
 * memory. */
static char **merge_environment(const char *const *added)
{
    size_t count = 1;
    for (char **e = environ; *e; e++) count++;
    for (const char *const *a = added; *a; a++) count++;
    char **merged = malloc(count * sizeof *merged);
    if (merged == NULL) return NULL;
    size_t n = 0;
    for (char **e = environ; *e; e++) {
        if (!is_replaced(*e, added)) merged[n++] = *e;
    }
    for (const char *const *a = added; *a; a++) merged[n++] = (char *)*a;
    merged[n] = NULL;
    return merged;
}

static void close_all(wm_process *p)
{
    close_input(p);
    for (int i = 0; i < WM_PROCESS_STREAMS; i++) {
        if (p->outputs[i].captured) close_handle((uv_handle_t *)&p->outputs[i].pipe);
    }
    if (p->has_handle) close_handle((uv_handle_t *)&p->handle);
}

static void capture(wm_process *p, wm_loop *loop, wm_process_stream stream, uv_stdio_container_t *stdio)
{
    output *o = &p->outputs[stream];
    uv_pipe_init(wm_loop_uv(loop), &o->pipe, 0);
    o->pipe.data = p;
    o->captured = true;
    o->ended = false;
    p->open_handles++;
    stdio->flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    stdio->data.stream = (uv_stream_t *)&o->pipe;
}

/* The descriptor of the child's end, or a negative error. */
static int open_input(wm_process *p, wm_loop *loop)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
    int err = uv_poll_init(wm_loop_uv(loop), &p->input_poll, ends[0]);
    if (err != 0) {
        close(ends[0]);
        close(ends[1]);
        return err;
    }
    p->input_poll.data = p;
    p->input_fd = ends[0];
    p->open_handles++;
    return ends[1];
}

static int spawn(wm_process *p, wm_loop *loop, const wm_process_options *options, char **env)
{
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
    int child_end = -1;
    if (options->pipe_stdin) {
        child_end = open_input(p, loop);
        if (child_end < 0) return child_end;
        stdio[0] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = child_end};
    }
    capture(p, loop, WM_PROCESS_STDOUT, &stdio[1]);
    if (options->capture_stderr) capture(p, loop, WM_PROCESS_STDERR, &stdio[2]);
    uv_process_options_t spawn_options = {
        .exit_cb = on_exit_status,
        .file = options->file,
        .args = (char **)options->args,
        .env = env,
        .cwd = options->cwd,
        .flags = options->own_session ? UV_PROCESS_DETACHED : 0,
        .stdio_count = 3,
        .stdio = stdio,
    };
    p->open_handles++;
    p->has_handle = true; /* libuv holds it even when it fails */
    int err = uv_spawn(wm_loop_uv(loop), &p->handle, &spawn_options);
    p->handle.data = p;
    if (child_end >= 0) close(child_end);
    return err;
}

int wm_process_spawn(wm_loop *loop, const wm_process_options *options, wm_process **out)
{
    *out = NULL;
    wm_process *p = calloc(1, sizeof *p);
    if (p == NULL) return UV_ENOMEM;
    p->input_fd = -1;
    p->loop = loop;
    p->forks = wm_forks();
    for (int i = 0; i < WM_PROCESS_STREAMS; i++) p->outputs[i].ended = true;
    char **env = NULL;
    if (options->env != NULL && (env = merge_environment(options->env)) == NULL) {
        free(p);
        return UV_ENOMEM;
    }
    int err = spawn(p, loop, options, env);
    free(env);
    if (err != 0) {
        p->exited = true;
        wm_process_free(p, false);
        return err;
    }
    p->pid = uv_process_get_pid(&p->handle);
    for (int i = 0; i < WM_PROCESS_STREAMS; i++) {
        if (p->outputs[i].captured) uv_read_start((uv_stream_t *)&p->outputs[i].pipe, give_room, on_read);
    }
    *out = p;
    return 0;
}

void wm_process_free(wm_process *p, bool loop_closed)
{
    if (p == NULL) return;
    if (!loop_closed) wm_loop_is_ours(p->loop); /* in a child of a fork: the parent's descriptors stay open */
    if (!p->exited && p->forks == wm_forks()) {
        kill(p->pid, SIGKILL);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    p->freed = true;
    if (loop_closed) {
        if (p->input_fd >= 0) close(p->input_fd);
        release(p);
        return;
    }
    close_all(p);
    if (p->open_handles == 0) release(p);
}
