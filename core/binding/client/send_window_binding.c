/* wingman.core.send_window(now): the send window of a connection, for specs with a clock of their own.
 * Times are seconds, exact to a microsecond. */
#include <lauxlib.h>
#include <stdbool.h>

#include "binding/values/binding.h"
#include "binding/values/userdata.h"
#include "client/parts/send_window.h"

static wm_send_window *check_window(lua_State *L)
{
    return luaL_checkudata(L, 1, "wingman.send_window");
}

static uint64_t check_us(lua_State *L, int index)
{
    lua_Number seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, index, "seconds");
    return (uint64_t)(seconds * 1e6 + 0.5);
}

static uint32_t check_count(lua_State *L, int index)
{
    lua_Number count = luaL_checknumber(L, index);
    luaL_argcheck(L, count >= 0 && count <= UINT32_MAX, index, "a count");
    return (uint32_t)count;
}

/* acked(ops, in_flight, is_full, took, now): see wm_send_ack. */
static int l_acked(lua_State *L)
{
    wm_send_ack ack = {
        .ops = check_count(L, 2),
        .in_flight = check_count(L, 3),
        .is_full = lua_toboolean(L, 4),
        .took_us = check_us(L, 5),
    };
    wm_send_window_acked(check_window(L), &ack, check_us(L, 6));
    return 0;
}

/* refused(batches, ops, is_rate, now) */
static int l_refused(lua_State *L)
{
    wm_send_window_refused(check_window(L), check_count(L, 2), check_count(L, 3), lua_toboolean(L, 4), check_us(L, 5));
    return 0;
}

static int l_ops(lua_State *L)
{
    lua_pushnumber(L, check_window(L)->ops);
    return 1;
}

static int l_batch(lua_State *L)
{
    lua_pushnumber(L, wm_send_window_batch(check_window(L), check_count(L, 2)));
    return 1;
}

static int l_pause(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_send_window_pause_us(check_window(L), check_count(L, 2)) / 1e6);
    return 1;
}

static int l_send_window(lua_State *L)
{
    uint64_t now_us = check_us(L, 1);
    wm_send_window *w = lua_newuserdata(L, sizeof *w);
    *w = wm_send_window_new(now_us);
    luaL_getmetatable(L, "wingman.send_window");
    lua_setmetatable(L, -2);
    return 1;
}

void wm_lua_open_send_window(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"acked", l_acked},
        {"refused", l_refused},
        {"ops", l_ops},
        {"batch", l_batch},
        {"pause", l_pause},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"send_window", l_send_window},
        {NULL, NULL},
    };
    const luaL_Reg *const lists[] = {methods, NULL};
    wm_lua_new_class(L, "wingman.send_window", lists, NULL);
    luaL_register(L, NULL, functions);
}
