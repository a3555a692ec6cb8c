#ifndef HOST_SIGNALS_H
#define HOST_SIGNALS_H
#include <lua.h>
#include <stdbool.h>

/* SIGINT, SIGTERM and SIGHUP while a script runs. The first one goes to the loop of the script, which
 * drains its clients and ends (lua/wingman/client/interrupt.lua). If the script has no loop, or does
 * not return to it within a second, the error "interrupted" is raised in it. If that is not possible
 * (an endless compiled loop, a blocking call), the process ends after five seconds. A second signal
 * ends the process at once. */

/* Starts handling them, in the calling thread; also ignores SIGPIPE and SIGXFSZ. `own_files`, which
 * must stay: the start of the chunk names of Wingman's own Lua files, in which the error is not raised. */
void host_signals_start(lua_State *L, const char *own_files);
/* Stops handling them: they end the process as usual. */
void host_signals_stop(void);
/* The signal that was received; 0: none. */
int host_signals_seen(void);
/* Marks the signal as handled. */
void host_signals_take(void);
/* Whether the text of an error is "interrupted". */
bool host_signals_is_interruption(const char *message);
#endif
