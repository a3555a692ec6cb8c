#include "binding/values/codec_state.h"

#include <lauxlib.h>
#include <string.h>

static const char registry_key = 0;

/* 64-bit integers are cdata, which the Lua C API can neither read nor make.
 * They cross the border as two halves. */
static const char int64_source[] =
    "local ffi, bit = require 'ffi', require 'bit'\n"
    "local i64, u64 = ffi.typeof 'int64_t', ffi.typeof 'uint64_t'\n"
    "local istype, cast, rshift, band, tonumber = ffi.istype, ffi.cast, bit.rshift, bit.band, tonumber\n"
    "local tostring, byte = tostring, string.byte\n"
    "local function parts(x)\n"
    "    local kind = istype(i64, x) and 1 or istype(u64, x) and 2 or 0\n"
    "    -- To istype, the type itself is one of its values.\n"
    "    if kind == 0 or byte(tostring(x)) == 99 then return 0, 0, 0 end\n"
    "    local u = cast(u64, x)\n"
    "    return kind, tonumber(rshift(u, 32)), tonumber(band(u, 0xffffffffULL))\n"
    "end\n"
    "local function make(is_signed, high, low)\n"
    "    local u = cast(u64, high) * 0x100000000ULL + cast(u64, low)\n"
    "    return is_signed and cast(i64, u) or u\n"
    "end\n"
    "return parts, make\n";

wm_lua_codec *wm_lua_codec_state(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&registry_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    wm_lua_codec *codec = lua_touserdata(L, -1);
    if (codec == NULL) luaL_error(L, "wingman.core is not open in this Lua state");
    lua_pop(L, 1);
    return codec;
}

static int l_codec_gc(lua_State *L)
{
    wm_lua_codec *codec = luaL_checkudata(L, 1, "wingman.codec");
    wm_buffer_close(&codec->scratch);
    return 0;
}

static void load_int64(lua_State *L, wm_lua_codec *codec)
{
    codec->int64_parts_ref = codec->int64_make_ref = LUA_NOREF;
    if (luaL_loadbuffer(L, int64_source, sizeof int64_source - 1, "=wingman.int64") != 0 ||
        lua_pcall(L, 0, 2, 0) != 0) {
        lua_pop(L, 1); /* no FFI, so no cdata either */
        return;
    }
    codec->int64_make_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    codec->int64_parts_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

wm_lua_codec *wm_lua_codec_open(lua_State *L)
{
    luaL_newmetatable(L, "wingman.codec");
    lua_pushcfunction(L, l_codec_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);

    wm_lua_codec *codec = lua_newuserdata(L, sizeof *codec);
    memset(codec, 0, sizeof *codec);
    luaL_getmetatable(L, "wingman.codec");
    lua_setmetatable(L, -2);
    lua_pushlightuserdata(L, (void *)&registry_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    load_int64(L, codec);
    return codec;
}
