/* wingman.core.encode and decode; the marks that steer them. */
#include <lauxlib.h>

#include "base/utf8.h"
#include "binding/values/binding.h"
#include "binding/values/codec.h"
#include "binding/values/codec_state.h"

/* A larger scratch buffer is given back after use. */
#define MAX_KEPT_SCRATCH (1u << 20)

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

void wm_lua_open_codec(lua_State *L)
{
    luaL_newmetatable(L, "wingman.buffer");
    lua_pushcfunction(L, l_buffer_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);

    int unused;
    wm_lua_codec *codec = wm_lua_codec_open(L);

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
