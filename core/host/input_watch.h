#ifndef HOST_INPUT_WATCH_H
#define HOST_INPUT_WATCH_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Standard input beside the loop: the loop wakes up when there is something, and
 * reading never waits. A terminal, a pipe, a socket or a file. */
typedef struct input_watch input_watch;

/* NULL when out of memory. Close with input_watch_close; the handle itself goes with
 * the loop's next turn. */
input_watch *input_watch_new(uv_loop_t *loop);
void input_watch_close(input_watch *w);
/* Whether the loop wakes up for input. */
void input_watch_set(input_watch *w, bool watching);
#define INPUT_ENDED LONG_MIN
/* What is there: its length; 0 when nothing is there yet; INPUT_ENDED at the end; a negative
 * errno when it cannot be read. */
long input_watch_read(input_watch *w, char *bytes, size_t size);
#endif
