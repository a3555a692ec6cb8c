#ifndef WM_LUA_LOOP_USERDATA_H
#define WM_LUA_LOOP_USERDATA_H
#include <lua.h>

#include "net/loop.h"

/* The loop at `index`; raises when it is something else or closed. */
wm_loop *wm_lua_check_loop(lua_State *L, int index);
#endif
