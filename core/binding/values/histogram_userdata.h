#ifndef WM_LUA_HISTOGRAM_USERDATA_H
#define WM_LUA_HISTOGRAM_USERDATA_H
#include <lua.h>

#include "base/histogram.h"

/* The histogram at `index`; raises when it is something else or closed. */
wm_histogram *wm_lua_check_histogram(lua_State *L, int index);
#endif
