#ifndef HOST_PROMPT_SIGNALS_H
#define HOST_PROMPT_SIGNALS_H
#include <lua.h>
#include <stdbool.h>
#include <uv.h>

/* Signals at the prompt. Ctrl-C ends the chunk that runs, never the loop or a task
 * beside it; a changed window and a continued process are told. Each wakes the loop.
 * One per process. */

/* Takes SIGINT, SIGWINCH, SIGCONT, SIGTERM and SIGHUP. 0 or a libuv error. */
int prompt_signals_begin(uv_loop_t *loop);
/* Puts back what was there before. The wake-up handle closes with the loop's next
 * turn. */
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
