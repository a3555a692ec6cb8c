/* wingman.core.encode and decode; the marks that steer them. */
#include <lauxlib.h>
#include <string.h>

#include "base/utf8.h"
#include "binding/values/binding.h"
#include "binding/values/codec.h"
#include "binding/values/codec_state.h"

/* A larger scratch buffer is given back after use. */
#define MAX_KEPT_SCRATCH (1u << 20)

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

static int l_buffer_gc(lua_State *L)
{
    wm_buffer_close(luaL_checkudata(L, 1, "wingman.buffer"));
    return 0;
}

static wm_buffer *new_buffer(lua_State *L)
{
    wm_buffer *b = lua_newuserdata(L, sizeof *b);
    wm_buffer_init(b);
    luaL_getmetatable(L, "wingman.buffer");
    lua_setmetatable(L, -2);
    return b;
}

static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_Number max_bytes = luaL_optnumber(L, 2, WM_LUA_MAX_ENCODED);
    luaL_argcheck(L, max_bytes >= 0 && max_bytes <= UINT32_MAX, 2, "a size in bytes");

    /* The collector may run a finalizer that encodes, in the middle of this
     * very call. An error leaves the mark standing, which costs time only. */
    wm_lua_codec *codec = wm_lua_codec_state(L);
    bool mine = !codec->scratch_busy;
    wm_buffer *out = mine ? &codec->scratch : new_buffer(L);
    if (mine) codec->scratch_busy = true;
    wm_buffer_clear(out);

    const char *err;
    int results = 1;
    if (wm_lua_encode_within(L, 1, (size_t)max_bytes, out, &err) == 0) {
        lua_pushlstring(L, (const char *)out->data, out->len);
    } else {
        lua_pushnil(L);
        lua_pushstring(L, err);
        results = 2;
    }
    if (mine) codec->scratch_busy = false;
    if (mine && codec->scratch.cap > MAX_KEPT_SCRATCH) wm_buffer_close(&codec->scratch);
    return results;
}

static int l_decode(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    size_t len;
    const char *bytes = lua_tolstring(L, 1, &len);
    lua_Number pos = luaL_optnumber(L, 2, 1);
    luaL_argcheck(L, pos >= 1 && pos <= (lua_Number)len + 1, 2, "a position in the string");

    wm_mp_reader r;
    wm_mp_reader_init(&r, bytes, len);
    r.pos += (size_t)pos - 1;
    int rc = wm_lua_decode(L, &r);
    if (rc < 0) {
        lua_pushnil(L);
        lua_pushstring(L, wm_lua_decode_text(L, rc));
        return 2;
    }
    lua_pushnumber(L, (lua_Number)(r.pos - (const uint8_t *)bytes) + 1);
    return 2;
}

static int l_utf8_valid(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    size_t len;
    const char *s = lua_tolstring(L, 1, &len);
    lua_pushboolean(L, wm_utf8_valid(s, len));
    return 1;
}

/* Adds a metatable to the table on top, as `name`; the registry keeps it. */
static const void *add_mark(lua_State *L, const char *name, int *ref)
{
    lua_newtable(L);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    const void *mark = lua_topointer(L, -1);
    lua_pushvalue(L, -1);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_setfield(L, -2, name);
    return mark;
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

static void new_class(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

void wm_lua_open_codec(lua_State *L)
{
    new_class(L, "wingman.codec", l_codec_gc);
    new_class(L, "wingman.buffer", l_buffer_gc);

    int unused;
    wm_lua_codec *codec = lua_newuserdata(L, sizeof *codec);
    memset(codec, 0, sizeof *codec);
    luaL_getmetatable(L, "wingman.codec");
    lua_setmetatable(L, -2);
    lua_pushlightuserdata(L, (void *)&registry_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    load_int64(L, codec);

    codec->array_mark = add_mark(L, "array_mark", &codec->array_ref);
    codec->map_mark = add_mark(L, "map_mark", &unused);
    codec->bin_mark = add_mark(L, "bin_mark", &unused);
    codec->timestamp_mark = add_mark(L, "timestamp_mark", &codec->timestamp_ref);

    static const luaL_Reg functions[] = {
        {"encode", l_encode},
        {"decode", l_decode},
        {"utf8_valid", l_utf8_valid},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
}
