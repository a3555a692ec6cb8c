/* wingman.core.proxy_name(text): the option `proxy` checked. */
#include <lauxlib.h>

#include "binding/values/binding.h"
#include "net/proxy.h"

/* "http://host:port" of a proxy's URL, without its user and password; nil when it is not a proxy's URL. */
static int l_proxy_name(lua_State *L)
{
    wm_proxy proxy;
    if (!wm_proxy_parse(luaL_checkstring(L, 1), &proxy)) return 0;
    lua_pushstring(L, proxy.name);
    return 1;
}

void wm_lua_open_proxy(lua_State *L)
{
    lua_pushcfunction(L, l_proxy_name);
    lua_setfield(L, -2, "proxy_name");
}
