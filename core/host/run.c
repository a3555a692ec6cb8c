/* `wingman run` and `wingman bench`: lua/wingman/command/run.lua and bench.lua beside it do it. */
#include <lauxlib.h>
#include <stdio.h>

#include "host/commands.h"
#include "host/lua_state.h"
#include "host/workers.h"

/* Runs the main function of a module that may run a load test, in a Lua state of its own. */
static int run_module(const char *name, const char *module, int argc, char **argv)
{
    lua_State *L = host_lua_new();
    if (L == NULL) return HOST_FAILED;
    host_lua_set_args(L, name, argc - 1, argv + 1);
    lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_pushcfunction(L, host_open_workers);
    lua_setfield(L, -2, "wingman.workers");
    lua_pop(L, 1);
    int code = HOST_FAILED;
    const char *chunk = lua_pushfstring(L, "return require('%s').main(arg)", module);
    if (luaL_loadstring(L, chunk) == 0) code = host_lua_call(L, 0);
    fflush(stdout);
    lua_close(L);
    return code;
}

int host_bench(int argc, char **argv)
{
    return run_module("bench", "wingman.command.bench", argc, argv);
}

int host_run(int argc, char **argv)
{
    return run_module("run", "wingman.command.run", argc, argv);
}
