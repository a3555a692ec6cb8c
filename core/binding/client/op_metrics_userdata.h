#ifndef WM_LUA_OP_METRICS_USERDATA_H
#define WM_LUA_OP_METRICS_USERDATA_H
#include <lua.h>

#include "client/parts/op_metrics.h"

/* The metrics at `index`; raises when it is something else. */
wm_op_metrics *wm_lua_check_op_metrics(lua_State *L, int index);
#endif
