/* wingman.core.loop(): the event loop of this Lua state, as an object. */
#include <signal.h>
#include <stdbool.h>

#include "binding/os/loop_userdata.h"
#include "binding/values/binding.h"
#include "binding/values/userdata.h"
#include "net/loop.h"
#include "os/interruption.h"

wm_loop *wm_lua_check_loop(lua_State *L, int index)
{
    wm_loop **slot = luaL_checkudata(L, index, "wingman.loop");
    if (*slot == NULL) luaL_argerror(L, index, "the loop is closed");
    return *slot;
}

/* The loop to iterate: the first argument; raises in a forked child. */
static wm_loop *check_turnable(lua_State *L)
{
    wm_loop *loop = wm_lua_check_loop(L, 1);
    if (!wm_loop_is_ours(loop))
        luaL_error(L, "this process was forked: Wingman's loop and its connections are the parent's. "
                      "wingman.unload() gives them up here, and the next require \"wingman\" has a loop of its own");
    return loop;
}

/* The executable's; NULL in another host. */
static wm_interruption *interruption_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, WM_INTERRUPTION_KEY);
    wm_interruption *interruption = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return interruption;
}

static bool is_waiting(const wm_interruption *interruption)
{
    return interruption != NULL && interruption->signal != 0 && !interruption->taken;
}

static int push_signal(lua_State *L, wm_interruption *interruption)
{
    if (!is_waiting(interruption)) return 0;
    interruption->taken = 1;
    lua_pushstring(L, wm_interruption_name(interruption->signal));
    return 1;
}

/* turn(wait_s): runs one iteration. Returns "SIGINT", "SIGTERM" or "SIGHUP", once, after such a signal. */
static int l_turn(lua_State *L)
{
    wm_loop *loop = check_turnable(L);
    lua_Number wait_s = luaL_checknumber(L, 2);
    wm_interruption *interruption = interruption_of(L);
    if (is_waiting(interruption)) wait_s = 0; /* it came before the loop could be woken */
    wm_loop_iterate(loop, wait_s < 0 ? -1 : (int64_t)(wait_s * 1e6));
    return push_signal(L, interruption);
}

/* The signal that came is dealt with: the next one is a first one again. */
static int l_rearm(lua_State *L)
{
    wm_interruption *interruption = interruption_of(L);
    if (interruption != NULL && interruption->taken) {
        interruption->signal = 0;
        interruption->taken = 0;
    }
    return 0;
}

/* write(): wm_loop_write. */
static int l_write(lua_State *L)
{
    wm_loop_write(check_turnable(L));
    return 0;
}

/* turn_until(deadline in seconds of core.now): runs one iteration. Returns whether no work is left for
 * the next one, and a signal as turn. */
static int l_turn_until(lua_State *L)
{
    wm_loop *loop = check_turnable(L);
    lua_pushboolean(L, wm_loop_iterate_until(loop, (uint64_t)(luaL_checknumber(L, 2) * 1e6)));
    return 1 + push_signal(L, interruption_of(L));
}

/* is_ours(): false in a child of a fork. */
static int l_is_ours(lua_State *L)
{
    lua_pushboolean(L, wm_loop_is_ours(wm_lua_check_loop(L, 1)));
    return 1;
}

static int l_fd(lua_State *L)
{
    lua_pushinteger(L, wm_loop_fd(wm_lua_check_loop(L, 1)));
    return 1;
}

/* Seconds until the sockets' side has something to do in any case; nil: never. */
static int l_timeout(lua_State *L)
{
    int64_t us = wm_loop_timeout_us(wm_lua_check_loop(L, 1));
    if (us < 0) return 0;
    lua_pushnumber(L, (lua_Number)us / 1e6);
    return 1;
}

static int l_close(lua_State *L)
{
    wm_loop **slot = luaL_checkudata(L, 1, "wingman.loop");
    wm_loop *loop = *slot;
    wm_interruption *interruption = interruption_of(L);
    if (interruption != NULL && loop != NULL && interruption->loop == loop) interruption->wake = NULL;
    *slot = NULL;
    wm_loop_free(loop);
    return 0;
}

static int l_loop(lua_State *L)
{
    wm_loop **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, "wingman.loop");
    lua_setmetatable(L, -2);
    *slot = wm_loop_new();
    if (*slot == NULL) return luaL_error(L, "loop: out of memory or file descriptors");
    wm_interruption *interruption = interruption_of(L);
    if (interruption != NULL && interruption->wake == NULL) {
        interruption->loop = *slot;
        interruption->wake = wm_loop_wake;
    }
    return 1;
}

static int l_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_now_us() / 1e6);
    return 1;
}

static int l_wall_ms(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_wall_ms());
    return 1;
}

void wm_lua_open_loop(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"turn", l_turn},
        {"write", l_write},
        {"turn_until", l_turn_until},
        {"is_ours", l_is_ours},
        {"fd", l_fd},
        {"timeout", l_timeout},
        {"close", l_close},
        {NULL, NULL},
    };
    wm_interruption *interruption = interruption_of(L);
    if (interruption != NULL) interruption->expected = 1;
    wm_lua_new_class(L, "wingman.loop", (const luaL_Reg *const[]){methods, NULL}, l_close);

    lua_pushcfunction(L, l_loop);
    lua_setfield(L, -2, "loop");
    lua_pushcfunction(L, l_now);
    lua_setfield(L, -2, "now");
    lua_pushcfunction(L, l_wall_ms);
    lua_setfield(L, -2, "wall_ms");
    lua_pushcfunction(L, l_rearm);
    lua_setfield(L, -2, "rearm");
}
