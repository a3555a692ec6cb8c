/* wingman.core.hlc(): a hybrid logical clock; and timestamps, which are tables
 * with the names of the wire: millis, counter, nodeId. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/hlc.h"
#include "binding/values/binding.h"
#include "binding/values/userdata.h"

static uint64_t check_time(lua_State *L, int index)
{
    lua_Number v = luaL_checknumber(L, index);
    luaL_argcheck(L, v >= 0 && v <= (lua_Number)WM_HLC_MAX, index, "a time or counter between 0 and 2^53 - 1");
    return (uint64_t)v;
}

/* Remote numbers may be anything; what no clock can hold is refused by
 * the clock itself. */
static uint64_t remote_time(lua_State *L, int index)
{
    lua_Number v = luaL_checknumber(L, index);
    return v >= 0 && v <= (lua_Number)WM_HLC_MAX && v == floor(v) ? (uint64_t)v : UINT64_MAX;
}

static wm_hlc *check_hlc(lua_State *L)
{
    return luaL_checkudata(L, 1, "wingman.hlc");
}

static int push_time(lua_State *L, const wm_hlc *c)
{
    lua_pushnumber(L, (lua_Number)c->millis);
    lua_pushnumber(L, (lua_Number)c->counter);
    return 2;
}

static int l_now(lua_State *L)
{
    wm_hlc *c = check_hlc(L);
    wm_hlc_now(c, check_time(L, 2));
    return push_time(L, c);
}

static int l_time(lua_State *L)
{
    return push_time(L, check_hlc(L));
}

/* false: the remote time was ahead of the wall clock by more than the drift. */
static int l_update(lua_State *L)
{
    wm_hlc *c = check_hlc(L);
    uint64_t wall_ms = check_time(L, 2);
    lua_pushboolean(L, wm_hlc_update(c, wall_ms, remote_time(L, 3), remote_time(L, 4)));
    return 1;
}

static int l_update_strict(lua_State *L)
{
    wm_hlc *c = check_hlc(L);
    uint64_t wall_ms = check_time(L, 2);
    uint64_t drift_ms = lua_isnoneornil(L, 5) ? WM_HLC_MAX_DRIFT_MS : check_time(L, 5);
    lua_pushboolean(L, wm_hlc_update_within(c, wall_ms, remote_time(L, 3), remote_time(L, 4), drift_ms));
    return 1;
}

static int l_hlc(lua_State *L)
{
    wm_hlc *c = lua_newuserdata(L, sizeof *c);
    *c = (wm_hlc){0};
    luaL_getmetatable(L, "wingman.hlc");
    lua_setmetatable(L, -2);
    return 1;
}

static uint64_t number_field(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    lua_Number v = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    lua_pop(L, 1);
    if (!(v >= 0 && v <= (lua_Number)WM_HLC_MAX && v == floor(v))) {
        luaL_argerror(L, table, lua_pushfstring(L, "`%s` is no whole number between 0 and 2^53 - 1", name));
    }
    return (uint64_t)v;
}

/* Leaves the node id on the stack, which keeps it alive. */
static wm_timestamp check_timestamp(lua_State *L, int table)
{
    luaL_checktype(L, table, LUA_TTABLE);
    wm_timestamp t = {.millis = number_field(L, table, "millis"), .counter = number_field(L, table, "counter")};
    lua_getfield(L, table, "nodeId");
    if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, table, "`nodeId` is no string");
    t.node = lua_tolstring(L, -1, &t.node_len);
    return t;
}

static int l_timestamp_compare(lua_State *L)
{
    wm_timestamp a = check_timestamp(L, 1), b = check_timestamp(L, 2);
    lua_pushinteger(L, wm_timestamp_compare(&a, &b));
    return 1;
}

static int l_timestamp_format(lua_State *L)
{
    wm_timestamp t = check_timestamp(L, 1);
    if (memchr(t.node, ':', t.node_len)) luaL_argerror(L, 1, "`nodeId` contains a ':'");
    size_t size = t.node_len + 64;
    char *text = lua_newuserdata(L, size);
    lua_pushlstring(L, text, wm_timestamp_format(&t, text, size));
    return 1;
}

static int l_timestamp_parse(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    size_t len;
    const char *text = lua_tolstring(L, 1, &len);
    wm_timestamp t;
    if (!wm_timestamp_parse(text, len, &t)) {
        lua_pushnil(L);
        lua_pushliteral(L, "a timestamp has the form millis:counter:node");
        return 2;
    }
    lua_createtable(L, 0, 3);
    lua_pushnumber(L, (lua_Number)t.millis);
    lua_setfield(L, -2, "millis");
    lua_pushnumber(L, (lua_Number)t.counter);
    lua_setfield(L, -2, "counter");
    lua_pushlstring(L, t.node, t.node_len);
    lua_setfield(L, -2, "nodeId");
    return 1;
}

void wm_lua_open_hlc(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"now", l_now},
        {"time", l_time},
        {"update", l_update},
        {"update_strict", l_update_strict},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"hlc", l_hlc},
        {"timestamp_compare", l_timestamp_compare},
        {"timestamp_format", l_timestamp_format},
        {"timestamp_parse", l_timestamp_parse},
        {NULL, NULL},
    };
    wm_lua_new_class(L, "wingman.hlc", (const luaL_Reg *const[]){methods, NULL}, NULL);
    luaL_register(L, NULL, functions);
}
