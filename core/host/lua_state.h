#ifndef HOST_LUA_STATE_H
#define HOST_LUA_STATE_H
#include <lua.h>

/* A Lua state with the standard libraries in which require "wingman" works
 * without any environment set-up, from the build tree and installed. NULL after
 * saying why on standard error. The caller closes it. */
lua_State *host_lua_new(void);

/* Sets the global `arg` as the luajit executable does: arg[0] is `name`. */
void host_lua_set_args(lua_State *L, const char *name, int argc, char **argv);

/* A module in C that the executable alone has. */
typedef struct host_module {
    const char *name;
    lua_CFunction open;
} host_module;

/* Runs a command whose main(arg), in the Lua module `module`, returns the exit code, in a Lua state of its
 * own; `built_in` is NULL or what it may require besides. argv[0] is the command's name. A host exit code. */
int host_lua_main(const char *module, const host_module *built_in, int argc, char **argv);

/* Calls the function below its `nargs` arguments on the stack, with a traceback
 * in its error. SIGINT, SIGTERM and SIGHUP end it as signals.h says. A host exit code;
 * errors are printed. */
int host_lua_call(lua_State *L, int nargs);
#endif
