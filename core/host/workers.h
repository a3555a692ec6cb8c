#ifndef HOST_WORKERS_H
#define HOST_WORKERS_H
#include <lua.h>

/* luaopen function of the module "wingman.workers": threads for --workers N.
 *
 *   workers.start(module, argument) -> worker   runs require(module).main(argument) in a
 *       thread with a Lua state of its own; nil, err when there can be no thread
 *   worker:join()    waits for its end: true, or false when it raised an error, which
 *       it has printed
 *
 * Threads share no Lua state and communicate over sockets. Signals go to the thread that started the workers. */
int host_open_workers(lua_State *L);
#endif
