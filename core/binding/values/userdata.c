#include "binding/values/userdata.h"

void wm_lua_new_class(lua_State *L, const char *name, const luaL_Reg *const *methods, lua_CFunction collect)
{
    luaL_newmetatable(L, name);
    if (collect != NULL) {
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_newtable(L);
    for (; *methods != NULL; methods++) luaL_register(L, NULL, *methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void wm_lua_keep(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    lua_createtable(L, 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
}
