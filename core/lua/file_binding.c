/* wingman.core.replace_file(path, bytes). */
#include <lauxlib.h>
#include <string.h>

#include "binding.h"
#include "replace_file.h"

/* true; nil and "path: why". */
static int l_replace_file(lua_State *L)
{
    size_t len;
    const char *path = luaL_checkstring(L, 1);
    const char *data = luaL_checklstring(L, 2, &len);
    int rc = wm_replace_file(path, data, len);
    if (rc == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(rc));
    return 2;
}

void wm_lua_open_file(lua_State *L)
{
    lua_pushcfunction(L, l_replace_file);
    lua_setfield(L, -2, "replace_file");
}
