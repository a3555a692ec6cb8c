/* The Lua module "wingman.core": the C core, as tables, userdata and numbers. */
#include <dlfcn.h>
#include <stdint.h>

#include "binding/values/binding.h"
#include "binding/values/luajit_loops.h"

__attribute__((visibility("default"))) int luaopen_wingman_core(lua_State *L);

/* core.path: the file that this module was loaded from. The FFI has to call this
 * very copy, wherever package.cpath points by then. */
static void set_path(lua_State *L)
{
    Dl_info info;
    if (dladdr((void *)(uintptr_t)luaopen_wingman_core, &info) == 0) luaL_error(L, "wingman.core: dladdr failed");
    lua_pushstring(L, info.dli_fname);
    lua_setfield(L, -2, "path");
}

/* A host brings its own LuaJIT: one that runs scripts wrongly is refused before anything of
 * Wingman does. */
static void check_luajit(lua_State *L)
{
    if (luaL_loadbuffer(L, wm_luajit_loops, sizeof wm_luajit_loops - 1, "=wingman.core") != 0 || lua_pcall(L, 0, 0, 0) != 0)
        lua_error(L);
}

int luaopen_wingman_core(lua_State *L)
{
    check_luajit(L);
    lua_newtable(L);
    lua_pushliteral(L, WINGMAN_VERSION);
    lua_setfield(L, -2, "version");
    set_path(L);
    wm_lua_open_codec(L);
    wm_lua_open_message(L);
    wm_lua_open_file(L);
    wm_lua_open_hash(L);
    wm_lua_open_hlc(L);
    wm_lua_open_histogram(L);
    wm_lua_open_jwt(L);
    wm_lua_open_loop(L);
    wm_lua_open_merkle_sums(L);
    wm_lua_open_send_window(L);
    wm_lua_open_op_metrics(L);
    wm_lua_open_oplog_file(L);
    wm_lua_open_process(L);
    wm_lua_open_status(L);
    wm_lua_open_stream(L);
    wm_lua_open_port_guard(L);
    wm_lua_open_proxy(L);
    wm_lua_open_url(L);
    wm_lua_open_usage(L);
    wm_lua_open_client(L);
    return 1;
}
