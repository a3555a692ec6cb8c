#ifndef WM_LUA_CODEC_STATE_H
#define WM_LUA_CODEC_STATE_H
#include <lua.h>
#include <stdbool.h>

#include "base/buffer.h"

/* What the codec keeps for one Lua state, in its registry. */
typedef struct wm_lua_codec {
    /* The metatables that mark a table; the pointers are for comparing. */
    const void *array_mark;
    const void *map_mark;
    const void *bin_mark;
    const void *timestamp_mark;
    int array_ref;
    int timestamp_ref;
    /* Lua functions that take 64-bit cdata apart and make it; LUA_NOREF when
     * this Lua has no FFI. */
    int int64_parts_ref;
    int int64_make_ref;
    wm_buffer scratch;
    bool scratch_busy;
    char error[320];
} wm_lua_codec;

/* Makes the codec of a Lua state, which owns it; the caller sets the marks. Raises when out of memory. */
wm_lua_codec *wm_lua_codec_open(lua_State *L);
/* Raises when wingman.core was never opened in this state. */
wm_lua_codec *wm_lua_codec_state(lua_State *L);
#endif
