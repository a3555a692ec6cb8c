#include "host/prompt_signals.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/line_editor.h"

/* After so many unhandled Ctrl-C the loop is stuck in a script: LuaJIT's compiled code does not run
 * hooks. */
#define UNANSWERED_MAX 3

static const int taken[] = {SIGINT, SIGWINCH, SIGCONT, SIGTERM, SIGHUP};
#define TAKEN (sizeof taken / sizeof *taken)

static pthread_t thread; /* the thread that runs Lua */
static uv_async_t *wake; /* freed by its close callback */
static struct sigaction before[TAKEN];
static volatile sig_atomic_t interrupts;
static volatile sig_atomic_t unanswered;
static volatile sig_atomic_t redraw;
static lua_State *volatile chunk;
static volatile sig_atomic_t chunk_interrupts;
static volatile sig_atomic_t hooked;

static void unhook(lua_State *L)
{
    lua_sethook(L, NULL, 0, 0);
    hooked = 0;
}

static void on_wake(uv_async_t *async)
{
    (void)async; /* the callback has nothing to do: waking up was the purpose */
}

/* A hook belongs to the whole state, so this one also runs in tasks and in the loop, which it does not
 * interrupt. It interrupts the chunk and the coroutines that the chunk runs: then the chunk has not
 * yielded. A pcall may catch the first interrupt; from the second on, every instruction of the chunk
 * raises. */
static void end_chunk(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (chunk == NULL || lua_status(chunk) > LUA_YIELD) { /* no chunk runs, or it has ended */
        chunk = NULL;
        unhook(L);
        return;
    }
    bool is_main = lua_pushthread(L);
    lua_pop(L, 1);
    if (L != chunk && (is_main || lua_status(chunk) == LUA_YIELD)) return;
    if (chunk_interrupts < 2) unhook(L);
    luaL_error(L, "interrupted");
}

static void say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static void give_up(void)
{
    line_editor_restore_terminal();
    say("\nwingman: the script does not let go; ended\n");
    _exit(128 + SIGINT);
}

static void on_signal(int number)
{
    if (!pthread_equal(pthread_self(), thread)) {
        pthread_kill(thread, number);
        return;
    }
    if (number == SIGTERM || number == SIGHUP) {
        line_editor_restore_terminal();
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    if (number == SIGINT) {
        interrupts++;
        if (++unanswered > UNANSWERED_MAX) give_up();
        if (unanswered == UNANSWERED_MAX) say("\nwingman: the script does not hear Ctrl-C; once more ends wingman\n");
        if (chunk != NULL) {
            chunk_interrupts++;
            if (!hooked) lua_sethook(chunk, end_chunk, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
            hooked = 1;
        }
    } else {
        redraw = 1;
    }
    uv_async_send(wake);
}

int prompt_signals_begin(uv_loop_t *loop)
{
    wake = malloc(sizeof *wake);
    if (wake == NULL) return UV_ENOMEM;
    int err = uv_async_init(loop, wake, on_wake);
    if (err != 0) {
        free(wake);
        wake = NULL;
        return err;
    }
    thread = pthread_self();
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < TAKEN; i++) {
        action.sa_flags = taken[i] == SIGINT ? 0 : SA_RESTART; /* also ends a read that waits */
        sigaction(taken[i], &action, &before[i]);
    }
    return 0;
}

static void free_wake(uv_handle_t *handle)
{
    free(handle);
}

void prompt_signals_end(void)
{
    if (wake == NULL) return;
    for (size_t i = 0; i < TAKEN; i++) sigaction(taken[i], &before[i], NULL);
    uv_close((uv_handle_t *)wake, free_wake);
    wake = NULL;
    chunk = NULL;
}

prompt_news prompt_signals_take(void)
{
    prompt_news news = {.interrupts = interrupts, .redraw = redraw};
    interrupts = unanswered = redraw = 0;
    return news;
}

void prompt_signals_arm(lua_State *co)
{
    chunk = co;
    chunk_interrupts = hooked = 0; /* the script may have set a hook of its own */
}
