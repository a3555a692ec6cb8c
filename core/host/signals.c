#include "host/signals.h"

#include <lauxlib.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"
#include "os/interruption.h"

#define INTERRUPTED "interrupted"
/* How long a script may run without returning to its loop. */
#define GRACE_US 1000000u
#define STUCK_S 5u

static wm_interruption interruption;
static lua_State *state;
static pthread_t thread;
static uint64_t came_us;
static const char *own_files;

static bool is_waiting(void)
{
    return interruption.signal != 0 && !interruption.taken;
}

/* Runs for every interpreted instruction until the loop handles the signal. */
static void hook(lua_State *L, lua_Debug *ar)
{
    if (!is_waiting()) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (interruption.expected && wm_now_us() - came_us < GRACE_US) return;
    lua_getinfo(L, "S", ar);
    if (strcmp(ar->what, "C") == 0 || strncmp(ar->source, own_files, strlen(own_files)) == 0) return;
    lua_pushliteral(L, INTERRUPTED);
    lua_error(L);
}

static void on_signal(int number)
{
    if (!pthread_equal(pthread_self(), thread)) {
        pthread_kill(thread, number);
        return;
    }
    if (interruption.signal != 0) _exit(128 + number);
    came_us = wm_now_us_in_signal();
    interruption.signal = number;
    if (interruption.wake != NULL) interruption.wake(interruption.loop);
    /* lua_sethook may be called in signal handlers. The hook runs when Lua does; a system call in which
     * the script waits is interrupted by the signal. */
    lua_sethook(state, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
    alarm(STUCK_S);
}

static void on_alarm(int number)
{
    static const char text[] = "wingman: the script does not give way and was ended; writes without an acknowledgement "
                               "were not waited for\n";
    (void)number;
    if (!is_waiting()) return;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(128 + interruption.signal);
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* A script under nohup ignores SIGHUP. */
static bool is_ignored(int number)
{
    struct sigaction present;
    return sigaction(number, NULL, &present) == 0 && present.sa_handler == SIG_IGN;
}

void host_signals_start(lua_State *L, const char *prefix)
{
    state = L;
    thread = pthread_self();
    own_files = prefix;
    interruption = (wm_interruption){0};
    lua_pushlightuserdata(L, &interruption);
    lua_setfield(L, LUA_REGISTRYINDEX, WM_INTERRUPTION_KEY);
    handle(SIGPIPE, SIG_IGN, 0); /* writing to a closed socket is an error of the call */
    handle(SIGXFSZ, SIG_IGN, 0); /* writing to a file at its size limit is one, too */
    handle(SIGALRM, on_alarm, SA_RESTART);
    handle(SIGINT, on_signal, 0); /* a read from the terminal is interrupted */
    handle(SIGTERM, on_signal, 0);
    if (!is_ignored(SIGHUP)) handle(SIGHUP, on_signal, 0);
}

void host_signals_stop(void)
{
    handle(SIGINT, SIG_DFL, 0);
    handle(SIGTERM, SIG_DFL, 0);
    if (!is_ignored(SIGHUP)) handle(SIGHUP, SIG_DFL, 0);
    alarm(0);
    lua_sethook(state, NULL, 0, 0);
}

int host_signals_seen(void)
{
    return interruption.signal;
}

void host_signals_take(void)
{
    interruption.taken = 1;
}

bool host_signals_is_interruption(const char *message)
{
    size_t len = sizeof INTERRUPTED - 1;
    if (message == NULL || strncmp(message, INTERRUPTED, len) != 0) return false;
    return message[len] == '\0' || message[len] == '\n'; /* the error of a task has a traceback */
}
