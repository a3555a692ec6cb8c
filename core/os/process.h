#ifndef WM_PROCESS_H
#define WM_PROCESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

/* A child process with pipes. Its output is collected while the loop iterates; there are no callbacks.
 * Single-threaded, like its loop. */
typedef struct wm_process wm_process;

/* Limit of collected output for each stream. At it reading pauses, and the child waits. */
#define WM_PROCESS_OUTPUT_MAX (16u << 20)
/* Limit of input that the child has not read; wm_process_write refuses more. */
#define WM_PROCESS_INPUT_MAX (16u << 20)

typedef enum wm_process_stream {
    WM_PROCESS_STDOUT,
    WM_PROCESS_STDERR,
    WM_PROCESS_STREAMS,
} wm_process_stream;

/* The pointers need to be valid only during wm_process_spawn. */
typedef struct wm_process_options {
    const char *file;       /* searched in PATH when it has no slash */
    char *const *args;      /* ends with NULL; args[0] is the program's name */
    const char *const *env; /* "NAME=value" added to this process's own, ends with NULL; or NULL */
    const char *cwd;        /* or NULL */
    bool pipe_stdin;        /* false: /dev/null */
    bool capture_stderr;    /* false: the child uses this process's */
    bool own_session;       /* keeps signals of this process's terminal away from it */
} wm_process_options;

/* Starts a child. 0, or a negative libuv error. Free with wm_process_free. */
int wm_process_spawn(wm_loop *loop, const wm_process_options *options, wm_process **out);
/* Kills the child if it is running, waits for its end, and frees. In a forked child it only frees. Some
 * memory is freed in the next iteration of the loop. `loop_closed`: the loop was freed before. */
void wm_process_free(wm_process *p, bool loop_closed);

/* The child's process id; it stays when the child has ended. */
int wm_process_pid(const wm_process *p);
/* A counter that grows with every event: output, end of output, exit. */
uint32_t wm_process_changes(const wm_process *p);
/* Sends a signal. 0 or a negative libuv error: UV_ESRCH when the child has ended, or in a forked child,
 * whose child it is not. */
int wm_process_kill(wm_process *p, int signal_number);
/* Whether it has ended; if so, `code` is its exit code, and `signal_number` the signal that ended it or
 * 0. */
bool wm_process_exited(const wm_process *p, int *code, int *signal_number);

/* Queues `len` bytes for the child's standard input. 0; UV_EPIPE: it is closed;
 * UV_ENOBUFS: over WM_PROCESS_INPUT_MAX, nothing was queued; UV_ENOMEM. */
int wm_process_write(wm_process *p, const void *bytes, size_t len);
/* Bytes in the queue for the child's standard input. */
size_t wm_process_unwritten(const wm_process *p);
/* Closes the child's standard input once the queued bytes are written. */
void wm_process_close_stdin(wm_process *p);

/* The output that was collected and not consumed; valid until the next iteration of the loop or
 * wm_process_consume. */
const char *wm_process_output(const wm_process *p, wm_process_stream stream, size_t *len);
/* Removes the first `len` bytes of the collected output. */
void wm_process_consume(wm_process *p, wm_process_stream stream, size_t len);
/* Whether the stream has ended; always true for one that is not captured. */
bool wm_process_ended(const wm_process *p, wm_process_stream stream);
#endif
