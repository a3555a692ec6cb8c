/* The Lua module "wingman.core": the C core, as tables, userdata and numbers. */
#include "binding.h"

__attribute__((visibility("default"))) int luaopen_wingman_core(lua_State *L);

int luaopen_wingman_core(lua_State *L)
{
    lua_newtable(L);
    lua_pushliteral(L, WINGMAN_VERSION);
    lua_setfield(L, -2, "version");
    wm_lua_open_codec(L);
    wm_lua_open_message(L);
    wm_lua_open_hash(L);
    wm_lua_open_hlc(L);
    wm_lua_open_histogram(L);
    wm_lua_open_jwt(L);
    wm_lua_open_loop(L);
    wm_lua_open_process(L);
    wm_lua_open_client(L);
    return 1;
}
