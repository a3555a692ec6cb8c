#ifndef HOST_SIGNALS_H
#define HOST_SIGNALS_H
#include <lua.h>
#include <stdbool.h>

/* SIGINT, SIGTERM and SIGHUP while a script runs. The first one is handed to the loop of the
 * script, which drains and ends (lua/wingman/client/interrupt.lua). A script that does not
 * return to its loop for a second, or has none, is ended by the error "interrupted"; one
 * that cannot be (compiled code without an end, a call that blocks) by the end of the
 * process, after five. A second signal ends the process at once. */

/* From now on, in the thread that calls; also ignores SIGPIPE and SIGXFSZ. `own_files`
 * is the beginning of the chunk names of Wingman's own Lua files, which are not torn
 * apart by the error; it is kept. */
void host_signals_start(lua_State *L, const char *own_files);
/* SIGINT, SIGTERM and SIGHUP end the process as usual again. */
void host_signals_stop(void);
/* The signal that came, 0: none. */
int host_signals_seen(void);
/* Marks the signal as taken care of. */
void host_signals_take(void);
/* Whether an error's text is that of a script that was ended. */
bool host_signals_is_interruption(const char *message);
#endif
