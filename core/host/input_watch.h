#ifndef HOST_INPUT_WATCH_H
#define HOST_INPUT_WATCH_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Non-blocking standard input: a terminal, a pipe, a socket or a file. Input wakes the loop; reading
 * never blocks. */
typedef struct input_watch input_watch;

/* NULL when out of memory. Close with input_watch_close; its handle is freed in the loop's next
 * iteration. */
input_watch *input_watch_new(uv_loop_t *loop);
void input_watch_close(input_watch *w);
/* Sets whether input wakes the loop. */
void input_watch_set(input_watch *w, bool watching);
#define INPUT_ENDED LONG_MIN
/* Reads up to `size` bytes and returns their number; 0 when there are none yet; INPUT_ENDED at the end;
 * a negative errno on failure. */
long input_watch_read(input_watch *w, char *bytes, size_t size);
#endif
