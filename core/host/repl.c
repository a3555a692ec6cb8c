/* `wingman repl`: lua/wingman/command/repl.lua does it; the terminal is here. */
#include <lauxlib.h>
#include <stdio.h>

#include "host/commands.h"
#include "host/lua_state.h"
#include "host/terminal_binding.h"

int host_repl(int argc, char **argv)
{
    lua_State *L = host_lua_new();
    if (L == NULL) return HOST_FAILED;
    host_lua_set_args(L, "repl", argc - 1, argv + 1);
    lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_pushcfunction(L, host_open_terminal);
    lua_setfield(L, -2, "wingman.terminal");
    lua_pop(L, 1);
    int code = HOST_FAILED;
    if (luaL_loadstring(L, "return require('wingman.command.repl').main(arg)") == 0) code = host_lua_call(L, 0);
    fflush(stdout);
    lua_close(L);
    return code;
}
