/* Run when the build is configured: does this LuaJIT run `pairs` loops to their end?
 * Snapshots of 2.1 from September 2021 to April 2022, Debian 12's package luajit among
 * them, compile such loops wrongly: once a loop was given up by the compiler, later ones
 * end early without an error (LuaJIT issue 827), or the process crashes (issue 829). */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static const char loops[] =
    "local inner, outer = { 1, 2, 3 }, {}\n"
    "for i = 1, 5 do outer['k' .. i] = inner end\n"
    "local function leave(...) for _ = 1, 100 do end end\n"
    "for _ = 1, 100000 do\n"
    "  leave()\n"
    "  local seen = 0\n"
    "  for _, t in pairs(outer) do\n"
    "    for _ in pairs(t) do end\n"
    "    seen = seen + 1\n"
    "  end\n"
    "  if seen ~= 5 then error('a pairs loop ended early') end\n"
    "end\n";

int main(void)
{
    lua_State *L = luaL_newstate();
    if (L == NULL) return 2;
    luaL_openlibs(L);
    int failed = luaL_dostring(L, loops);
    if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return failed;
}
