#ifndef WM_LUA_BINDING_H
#define WM_LUA_BINDING_H
#include <lua.h>
#include <lauxlib.h>

/* Each adds its functions to the table `wingman.core`, which stands on top of
 * the stack, and leaves it there. One binding file per core module. */
void wm_lua_open_codec(lua_State *L);
void wm_lua_open_message(lua_State *L);
void wm_lua_open_file(lua_State *L);
void wm_lua_open_hash(lua_State *L);
void wm_lua_open_hlc(lua_State *L);
void wm_lua_open_histogram(lua_State *L);
void wm_lua_open_jwt(lua_State *L);
void wm_lua_open_loop(lua_State *L);
void wm_lua_open_merkle_sums(lua_State *L);
void wm_lua_open_send_window(lua_State *L);
void wm_lua_open_op_metrics(lua_State *L);
void wm_lua_open_oplog_file(lua_State *L);
void wm_lua_open_process(lua_State *L);
void wm_lua_open_status(lua_State *L);
void wm_lua_open_stream(lua_State *L);
void wm_lua_open_port_guard(lua_State *L);
void wm_lua_open_proxy(lua_State *L);
void wm_lua_open_url(lua_State *L);
void wm_lua_open_usage(lua_State *L);
void wm_lua_open_client(lua_State *L);
#endif
