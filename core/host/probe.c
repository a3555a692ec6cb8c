/* `wingman probe`: lua/wingman/probe.lua does it. */
#include <lauxlib.h>
#include <stdio.h>

#include "commands.h"
#include "lua_state.h"

int host_probe(int argc, char **argv)
{
    lua_State *L = host_lua_new();
    if (L == NULL) return HOST_FAILED;
    host_lua_set_args(L, "probe", argc - 1, argv + 1);
    int code = HOST_FAILED;
    if (luaL_loadstring(L, "return require('wingman.probe').main(arg)") == 0) code = host_lua_call(L, 0);
    fflush(stdout);
    lua_close(L);
    return code;
}
