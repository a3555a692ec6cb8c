#ifndef WM_PROCESS_H
#define WM_PROCESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

/* A child process with pipes. What it writes is collected here while the loop
 * turns; nothing calls out. Single-threaded, like its loop. */
typedef struct wm_process wm_process;

/* Collected per stream; when it is full, reading pauses and the child waits. */
#define WM_PROCESS_OUTPUT_MAX (16u << 20)
/* Waiting to be read by the child; wm_process_write refuses more. */
#define WM_PROCESS_INPUT_MAX (16u << 20)

typedef enum wm_process_stream {
    WM_PROCESS_STDOUT,
    WM_PROCESS_STDERR,
    WM_PROCESS_STREAMS,
} wm_process_stream;

/* All pointers are the caller's and are not kept. */
typedef struct wm_process_options {
    const char *file;        /* looked for in PATH when it has no slash */
    char *const *args;       /* ends with NULL; args[0] is the program's name */
    const char *const *env;  /* "NAME=value" added to this process's own, ends with NULL; or NULL */
    const char *cwd;         /* or NULL */
    bool pipe_stdin;         /* false: /dev/null */
    bool capture_stderr;     /* false: goes where ours goes */
    bool own_session;        /* no signals of our terminal reach it */
} wm_process_options;

/* Starts a child. 0, or a negative libuv error. Free with wm_process_free. */
int wm_process_spawn(wm_loop *loop, const wm_process_options *options, wm_process **out);
/* Kills the child if it still runs, waits for its end and frees; in a child of a fork it
 * frees only. The last bytes
 * of memory go when the loop has turned. `loop_closed`: the loop was freed
 * before this and is not touched. */
void wm_process_free(wm_process *p, bool loop_closed);

int wm_process_pid(const wm_process *p);
/* Grows with every event: output, end of output, exit. */
uint32_t wm_process_changes(const wm_process *p);
/* 0 or a negative libuv error: UV_ESRCH when it has ended, and in a child of a fork, whose
 * child it is not. */
int wm_process_kill(wm_process *p, int signal_number);
/* Whether it has ended; then its exit code, and the signal that ended it or 0. */
bool wm_process_exited(const wm_process *p, int *code, int *signal_number);

/* Queues `len` bytes for the child's standard input. 0; UV_EPIPE: it is closed;
 * UV_ENOBUFS: over WM_PROCESS_INPUT_MAX, nothing was queued; UV_ENOMEM. */
int wm_process_write(wm_process *p, const void *bytes, size_t len);
/* Bytes that were queued and not yet taken by the child's pipe. */
size_t wm_process_unwritten(const wm_process *p);
/* The child reads its end of input once the queued bytes are through. */
void wm_process_close_stdin(wm_process *p);

/* What was collected and not yet consumed; the pointer is valid until the loop
 * turns or something is consumed. */
const char *wm_process_output(const wm_process *p, wm_process_stream stream, size_t *len);
void wm_process_consume(wm_process *p, wm_process_stream stream, size_t len);
/* Nothing more will be collected (an uncaptured stream: always true). */
bool wm_process_ended(const wm_process *p, wm_process_stream stream);
#endif
