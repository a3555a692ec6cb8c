/* wingman.core.is_node_url(text): the URLs of nodes checked. */
#include <lauxlib.h>

#include "binding/values/binding.h"
#include "net/url.h"

/* Whether a client can dial it: ws://host[:port][/path] or wss://..., as url.h says. */
static int l_is_node_url(lua_State *L)
{
    wm_url url;
    lua_pushboolean(L, wm_url_parse(luaL_checkstring(L, 1), "/", &url));
    return 1;
}

void wm_lua_open_url(lua_State *L)
{
    lua_pushcfunction(L, l_is_node_url);
    lua_setfield(L, -2, "is_node_url");
}
