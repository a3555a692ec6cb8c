/* MessagePack to Lua values. The input is hostile: tables are not made larger
 * in advance than a few entries, whatever a header says, and nesting ends at
 * WM_MP_MAX_DEPTH. On the Lua stack stand the open containers, the outermost first, each
 * map with the key whose value comes next above it. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "binding/values/codec.h"
#include "binding/values/codec_state.h"

/* Entries that a table gets room for before they are read. */
#define MAX_RESERVED 1024
#define MAX_EXACT UINT64_C(9007199254740992)
#define TIMESTAMP_TYPE (-1)

typedef struct decoder {
    lua_State *L;
    wm_lua_codec *codec;
    wm_lua_decoding *at;
} decoder;

/* Magnitudes above 2^53 become cdata, which only Lua can make. */
static void push_wide(decoder *d, uint64_t bits, bool is_signed)
{
    lua_State *L = d->L;
    double approximate = is_signed ? (double)(int64_t)bits : (double)bits;
    if (d->codec->int64_make_ref == LUA_NOREF) {
        lua_pushnumber(L, approximate);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, d->codec->int64_make_ref);
    lua_pushboolean(L, is_signed);
    lua_pushnumber(L, (double)(bits >> 32));
    lua_pushnumber(L, (double)(bits & UINT32_MAX));
    lua_call(L, 3, 1);
}

static void push_uint(decoder *d, uint64_t v)
{
    if (v <= MAX_EXACT) lua_pushnumber(d->L, (double)v);
    else push_wide(d, v, v <= INT64_MAX);
}

static void push_int(decoder *d, int64_t v)
{
    if (v >= -(int64_t)MAX_EXACT && v < 0) lua_pushnumber(d->L, (double)v);
    else if (v < 0) push_wide(d, (uint64_t)v, true);
    else push_uint(d, (uint64_t)v);
}

static uint64_t load(const uint8_t *p, int width)
{
    uint64_t v = 0;
    for (int i = 0; i < width; i++) v = v << 8 | p[i];
    return v;
}

static int push_timestamp(decoder *d, const wm_mp_item *it)
{
    lua_State *L = d->L;
    int64_t seconds;
    uint64_t nanoseconds;
    const uint8_t *p = it->bytes;
    switch (it->len) {
    case 1: /* a Date without a time, which is null in JSON too */
        if (p[0] != 0xff) return WM_LUA_ETIMESTAMP;
        lua_pushlightuserdata(L, NULL);
        return 0;
    case 4:
        seconds = (int64_t)load(p, 4);
        nanoseconds = 0;
        break;
    case 8:
        seconds = (int64_t)(load(p, 8) & ((UINT64_C(1) << 34) - 1));
        nanoseconds = load(p, 8) >> 34;
        break;
    case 12:
        seconds = (int64_t)load(p + 4, 8);
        nanoseconds = load(p, 4);
        break;
    default:
        return WM_LUA_ETIMESTAMP;
    }
    if (nanoseconds > 999999999) return WM_LUA_ETIMESTAMP;
    lua_createtable(L, 0, 2);
    push_int(d, seconds);
    lua_setfield(L, -2, "seconds");
    lua_pushnumber(L, (double)nanoseconds);
    lua_setfield(L, -2, "nanoseconds");
    lua_rawgeti(L, LUA_REGISTRYINDEX, d->codec->timestamp_ref);
    lua_setmetatable(L, -2);
    return 0;
}

static int decode_key(decoder *d)
{
    lua_State *L = d->L;
    wm_mp_item it;
    int rc = wm_mp_read(&d->at->r, &it);
    if (rc != WM_MP_OK) return rc;
    switch (it.kind) {
    case WM_MP_STR:
    case WM_MP_BIN:
        lua_pushlstring(L, (const char *)it.bytes, it.len);
        return 0;
    case WM_MP_BOOL:
        lua_pushboolean(L, it.b);
        return 0;
    case WM_MP_UINT:
        if (it.u > MAX_EXACT) return WM_LUA_EKEY;
        lua_pushnumber(L, (double)it.u);
        return 0;
    case WM_MP_INT:
        if (it.i < -(int64_t)MAX_EXACT) return WM_LUA_EKEY;
        lua_pushnumber(L, (double)it.i);
        return 0;
    case WM_MP_FLOAT:
        if (it.f != it.f) return WM_LUA_EKEY;
        lua_pushnumber(L, it.f);
        return 0;
    default:
        return WM_LUA_EKEY;
    }
}

/* An empty table for what comes; LuaJIT moves all entries whenever one grows. */
static void push_table(decoder *d, const wm_mp_item *it)
{
    lua_State *L = d->L;
    bool is_array = it->kind == WM_MP_ARRAY;
    int room = (int)(it->count < d->at->max_reserved ? it->count : d->at->max_reserved);
    lua_createtable(L, is_array ? room : 0, is_array ? 0 : room);
    if (!is_array || it->count > 0) return;
    /* An unmarked empty table would be written as a map. */
    lua_rawgeti(L, LUA_REGISTRYINDEX, d->codec->array_ref);
    lua_setmetatable(L, -2);
}

/* The value on top of the stack is whole: it goes into what is around it, which may be
 * whole with it. */
static void close_value(decoder *d)
{
    lua_State *L = d->L;
    wm_lua_decoding *at = d->at;
    while (at->depth > 0) {
        wm_lua_open_table *table = &at->open[at->depth - 1];
        if (table->is_map) {
            lua_rawset(L, -3); /* an absent value is nil: it takes an earlier one away */
        } else {
            if (lua_isnil(L, -1)) { /* absent; an array has no gaps */
                lua_pop(L, 1);
                lua_pushlightuserdata(L, NULL);
            }
            lua_rawseti(L, -2, (int)++table->count);
        }
        table->has_key = false;
        if (--table->left > 0) return;
        at->depth--;
    }
    at->is_done = true;
}

static int open_table(decoder *d, const wm_mp_item *it)
{
    wm_lua_decoding *at = d->at;
    if (at->depth == WM_MP_MAX_DEPTH || !lua_checkstack(d->L, 8)) return WM_MP_EDEPTH;
    push_table(d, it);
    if (it->count == 0) close_value(d);
    else at->open[at->depth++] = (wm_lua_open_table){.left = it->count, .is_map = it->kind == WM_MP_MAP};
    return 0;
}

/* Pushes a value other than a table. */
static int push_scalar(decoder *d, const wm_mp_item *it)
{
    lua_State *L = d->L;
    switch (it->kind) {
    case WM_MP_NIL:
        lua_pushlightuserdata(L, NULL);
        return 0;
    case WM_MP_BOOL:
        lua_pushboolean(L, it->b);
        return 0;
    case WM_MP_UINT:
        push_uint(d, it->u);
        return 0;
    case WM_MP_INT:
        push_int(d, it->i);
        return 0;
    case WM_MP_FLOAT:
        lua_pushnumber(L, it->f);
        return 0;
    case WM_MP_STR:
    case WM_MP_BIN:
        lua_pushlstring(L, (const char *)it->bytes, it->len);
        return 0;
    case WM_MP_ABSENT:
        lua_pushnil(L);
        return 0;
    default:
        return it->ext_type == TIMESTAMP_TYPE ? push_timestamp(d, it) : WM_LUA_EEXTENSION + it->ext_type;
    }
}

/* One key or value. */
static int decode_item(decoder *d)
{
    wm_lua_decoding *at = d->at;
    wm_lua_open_table *table = at->depth > 0 ? &at->open[at->depth - 1] : NULL;
    wm_mp_item it;
    int rc;
    if (table != NULL && table->is_map && !table->has_key) {
        table->has_key = true;
        return decode_key(d);
    }
    if ((rc = wm_mp_read(&at->r, &it)) != WM_MP_OK) return rc;
    if (it.kind == WM_MP_ARRAY || it.kind == WM_MP_MAP) return open_table(d, &it);
    if ((rc = push_scalar(d, &it)) < 0) return rc;
    close_value(d);
    return 0;
}

void wm_lua_decode_begin(wm_lua_decoding *at, const wm_mp_reader *r, uint32_t max_reserved)
{
    at->r = *r;
    at->max_reserved = max_reserved;
    at->depth = 0;
    at->is_done = false;
}

int wm_lua_decode_on(lua_State *L, wm_lua_decoding *at, uint32_t most)
{
    decoder d = {.L = L, .codec = wm_lua_codec_state(L), .at = at};
    luaL_checkstack(L, 8, "decode");
    while (!at->is_done) {
        if (most-- == 0) return 1;
        int rc = decode_item(&d);
        if (rc < 0) return rc;
    }
    return 0;
}

int wm_lua_decode(lua_State *L, wm_mp_reader *r)
{
    int top = lua_gettop(L);
    wm_lua_decoding at;
    wm_lua_decode_begin(&at, r, MAX_RESERVED);
    int rc = wm_lua_decode_on(L, &at, UINT32_MAX);
    if (rc < 0) {
        lua_settop(L, top);
        return rc;
    }
    *r = at.r;
    return 0;
}

const char *wm_lua_decode_text(lua_State *L, int code)
{
    if (code == WM_LUA_EKEY) return "a map key is nil, NaN or no scalar";
    if (code == WM_LUA_ETIMESTAMP) return "an invalid timestamp extension";
    if (code < WM_LUA_EEXTENSION - 128 || code > WM_LUA_EEXTENSION + 127) return wm_mp_result_text(code);
    wm_lua_codec *codec = wm_lua_codec_state(L);
    snprintf(codec->error, sizeof codec->error, "unknown MessagePack extension type %d", code - WM_LUA_EEXTENSION);
    return codec->error;
}
