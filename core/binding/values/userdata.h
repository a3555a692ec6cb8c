#ifndef WM_LUA_USERDATA_H
#define WM_LUA_USERDATA_H
#include <lauxlib.h>

/* Makes the metatable `name` with the functions of several lists (the array ends with NULL)
 * as methods, and `collect` as __gc unless it is NULL. Leaves the stack as it was. */
void wm_lua_new_class(lua_State *L, const char *name, const luaL_Reg *const *methods, lua_CFunction collect);
/* Gives the userdata on top of the stack an environment that keeps the value at `index` alive. */
void wm_lua_keep(lua_State *L, int index);
#endif
