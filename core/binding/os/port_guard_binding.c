/* wingman.core.port_guard(): see os/port_guard.h. */
#include <lauxlib.h>
#include <unistd.h>

#include "binding/values/binding.h"
#include "os/port_guard.h"

#define TYPE "wingman.port_guard"

static int l_close(lua_State *L)
{
    int *guard = luaL_checkudata(L, 1, TYPE);
    if (*guard >= 0) close(*guard);
    *guard = -1;
    return 0;
}

/* port_guard(): a free TCP port of 127.0.0.1 for a program that is to listen there, and its guard, which keeps it
 * until it is closed or collected; nil when none is free. */
static int l_port_guard(lua_State *L)
{
    int port = 0;
    lua_pushnil(L);
    int *guard = lua_newuserdata(L, sizeof *guard);
    *guard = -1;
    luaL_getmetatable(L, TYPE);
    lua_setmetatable(L, -2);
    *guard = wm_port_guard_open(&port, true);
    if (*guard < 0) return 0;
    lua_pushinteger(L, port);
    lua_replace(L, -3);
    return 2;
}

void wm_lua_open_port_guard(lua_State *L)
{
    static const luaL_Reg methods[] = {{"close", l_close}, {"__gc", l_close}, {NULL, NULL}};
    luaL_newmetatable(L, TYPE);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_port_guard);
    lua_setfield(L, -2, "port_guard");
}
