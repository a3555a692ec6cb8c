#ifndef HOST_PROMPT_SIGNALS_H
#define HOST_PROMPT_SIGNALS_H
#include <lua.h>
#include <stdbool.h>
#include <uv.h>

/* Signals at the prompt. Ctrl-C ends the running chunk, but not the loop or a background task. A new
 * window size and a continued process are reported by prompt_signals_take. Each signal wakes the loop.
 * One for each process. */

/* Handles SIGINT, SIGWINCH, SIGCONT, SIGTERM and SIGHUP from now on. 0 or a libuv error. */
int prompt_signals_begin(uv_loop_t *loop);
/* Restores the previous handlers. The handle that wakes the loop is closed in its next iteration. */
void prompt_signals_end(void);

typedef struct prompt_news {
    int interrupts; /* SIGINT since the last call */
    bool redraw;    /* the window has another size, or the process was stopped */
} prompt_news;

prompt_news prompt_signals_take(void);
/* The coroutine that SIGINT ends, with the error "interrupted"; NULL: none. It must
 * stay alive until this is called again. */
void prompt_signals_arm(lua_State *chunk);
#endif
