/* Run when the build is configured: checks that Wingman can run on this LuaJIT. */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "binding/values/luajit_loops.h"

int main(void)
{
    lua_State *L = luaL_newstate();
    if (L == NULL) return 2;
    luaL_openlibs(L);
    int failed = luaL_dostring(L, wm_luajit_loops);
    if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return failed;
}
