/* wingman.core.replace_file(path, bytes), replace_file_check(path). */
#include <lauxlib.h>
#include <string.h>

#include "binding/values/binding.h"
#include "os/atomic_file.h"

/* true; nil and "path: why". */
static int push_outcome(lua_State *L, const char *path, int rc)
{
    if (rc == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(rc));
    return 2;
}

static int l_replace_file(lua_State *L)
{
    size_t len;
    const char *path = luaL_checkstring(L, 1);
    const char *data = luaL_checklstring(L, 2, &len);
    return push_outcome(L, path, wm_replace_file(path, data, len));
}

static int l_replace_file_check(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    return push_outcome(L, path, wm_replace_file_check(path));
}

void wm_lua_open_file(lua_State *L)
{
    lua_pushcfunction(L, l_replace_file);
    lua_setfield(L, -2, "replace_file");
    lua_pushcfunction(L, l_replace_file_check);
    lua_setfield(L, -2, "replace_file_check");
}
