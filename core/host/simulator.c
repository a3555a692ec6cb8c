/* `wingman sim`: lua/wingman/command/sim.lua reads its options; the cluster runs when that Lua state has ended. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "host/commands.h"
#include "host/lua_state.h"
#include "sim/control/sim.h"

/* What the Lua state has chosen; a process runs one cluster. */
static sim_options chosen;
static char *chosen_secret; /* NULL: none was given */
static bool is_chosen;

static lua_Number number_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    lua_Number number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
}

static bool flag_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static bool text_field_is(lua_State *L, const char *name, const char *text)
{
    lua_getfield(L, 1, name);
    bool is = lua_isstring(L, -1) && strcmp(lua_tostring(L, -1), text) == 0;
    lua_pop(L, 1);
    return is;
}

/* A list has an item for each node; a list that is not there leaves all 0. */
static void take_nodes(lua_State *L, sim_options *o)
{
    lua_getfield(L, 1, "hashes");
    lua_getfield(L, 1, "ports");
    bool has_ports = lua_istable(L, -1);
    for (uint32_t i = 0; i < o->nodes; i++) {
        lua_rawgeti(L, 2, (int)i + 1);
        o->hashes[i] = strcmp(luaL_checkstring(L, -1), "xxh64") == 0 ? WM_HASH_XXH64 : WM_HASH_FNV1A;
        if (has_ports) {
            lua_rawgeti(L, 3, (int)i + 1);
            o->ports[i] = (int)luaL_checkinteger(L, -1);
        }
        lua_settop(L, 3);
    }
}

/* choose(options): as wingman.testbed.sim_options completes them. */
static int l_choose(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    sim_options o = {
        .nodes = (uint32_t)number_field(L, "nodes"),
        .partitions = (uint32_t)number_field(L, "partitions"),
        .is_0_11 = text_field_is(L, "dialect", "0.11"),
        .is_head = text_field_is(L, "release", "head"),
        .rate = number_field(L, "rate"),
        .event_queue = (uint32_t)number_field(L, "event_queue"),
        .seed = (uint64_t)number_field(L, "seed"),
        .detection_ms = (uint64_t)number_field(L, "detection_ms"),
        .spread_ms = (uint64_t)number_field(L, "spread_ms"),
        .no_auth = flag_field(L, "no_auth"),
        .control = flag_field(L, "control"),
        .sink = flag_field(L, "sink"),
    };
    luaL_argcheck(L, o.nodes >= 1 && o.nodes <= SIM_NODES_MAX && o.partitions >= 1 && o.partitions <= SIM_PARTITIONS_MAX, 1, "out of range");
    take_nodes(L, &o);
    lua_getfield(L, 1, "secret");
    if (lua_isstring(L, -1)) chosen_secret = strdup(lua_tostring(L, -1));
    chosen = o;
    is_chosen = true;
    return 0;
}

static int open_simulator(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_choose);
    lua_setfield(L, -2, "choose");
    return 1;
}

int host_sim(int argc, char **argv)
{
    static const host_module simulator = {"wingman.simulator", open_simulator};
    int code = host_lua_main("wingman.command.sim", &simulator, argc, argv);
    if (code != HOST_OK || !is_chosen) return code;
    chosen.secret = chosen_secret != NULL ? chosen_secret : sim_options_random_secret();
    code = wm_sim_run(&chosen);
    free(chosen_secret);
    return code;
}
