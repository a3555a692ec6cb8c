/* wingman.core.op_metrics(): what a load test measures of operations. It has no close:
 * clients that measure into it keep it alive, and the collector frees it. */
#include <lauxlib.h>
#include <string.h>

#include "base/status.h"
#include "binding/client/op_metrics_userdata.h"
#include "binding/values/binding.h"
#include "binding/values/histogram_userdata.h"
#include "binding/values/userdata.h"

#define CLASS "wingman.core.op_metrics"

static const char *const part_names[] = {
#define X(name, key) key,
    WM_OP_PARTS(X)
#undef X
        NULL,
};

wm_op_metrics *wm_lua_check_op_metrics(lua_State *L, int index)
{
    wm_op_metrics **slot = luaL_checkudata(L, index, CLASS);
    if (*slot == NULL) luaL_argerror(L, index, "the metrics were not made");
    return *slot;
}

static int l_new(lua_State *L)
{
    wm_op_metrics **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, CLASS);
    lua_setmetatable(L, -2);
    *slot = wm_op_metrics_new();
    return *slot ? 1 : luaL_error(L, "op_metrics: out of memory");
}

static int l_gc(lua_State *L)
{
    wm_op_metrics **slot = luaL_checkudata(L, 1, CLASS);
    wm_op_metrics_free(*slot);
    *slot = NULL;
    return 0;
}

/* The address of its context for the FFI; valid as long as the metrics are. */
static int l_context(lua_State *L)
{
    lua_pushlightuserdata(L, wm_op_metrics_context(wm_lua_check_op_metrics(L, 1)));
    return 1;
}

/* A new tag's number; nil when there are too many. */
static int l_add_tag(lua_State *L)
{
    int tag = wm_op_metrics_add_tag(wm_lua_check_op_metrics(L, 1));
    if (tag == WM_ENOMEM) return luaL_error(L, "op_metrics: out of memory");
    if (tag < 0) return 0;
    lua_pushinteger(L, tag);
    return 1;
}

static uint32_t check_tag(lua_State *L, const wm_op_metrics *m, int index)
{
    lua_Integer tag = luaL_checkinteger(L, index);
    luaL_argcheck(L, tag >= 1 && tag <= (lua_Integer)wm_op_metrics_tags(m), index, "no such tag");
    return (uint32_t)tag;
}

/* merge(tag, part, histogram): adds the part's times to it. */
static int l_merge(lua_State *L)
{
    const wm_op_metrics *m = wm_lua_check_op_metrics(L, 1);
    uint32_t tag = check_tag(L, m, 2);
    wm_op_part part = (wm_op_part)luaL_checkoption(L, 3, NULL, part_names);
    wm_op_metrics_merge_part(m, tag, part, wm_lua_check_histogram(L, 4));
    return 0;
}

/* merge_node(node_index, histogram): adds the node's op latencies, if it has any. */
static int l_merge_node(lua_State *L)
{
    const wm_op_metrics *m = wm_lua_check_op_metrics(L, 1);
    lua_Integer node_index = luaL_checkinteger(L, 2);
    wm_histogram *into = wm_lua_check_histogram(L, 3);
    if (node_index >= 0) wm_op_metrics_merge_node(m, (uint32_t)node_index, into);
    return 0;
}

/* merge_connections("connect"|"tls"|"auth"|"heartbeat", histogram) */
static int l_merge_connections(lua_State *L)
{
    static const char *const names[] = {"connect", "tls", "auth", "heartbeat", NULL};
    wm_connection_times times = wm_op_metrics_connections(wm_lua_check_op_metrics(L, 1));
    const wm_histogram *const all[] = {times.connect, times.tls, times.auth, times.heartbeat};
    wm_histogram_merge(wm_lua_check_histogram(L, 3), all[luaL_checkoption(L, 2, NULL, names)]);
    return 0;
}

/* take_interval(histogram): adds the op latencies since the last call. */
static int l_take_interval(lua_State *L)
{
    wm_op_metrics_take_interval(wm_lua_check_op_metrics(L, 1), wm_lua_check_histogram(L, 2));
    return 0;
}

/* counts(tag): operations recorded, operations acknowledged. */
static int l_counts(lua_State *L)
{
    const wm_op_metrics *m = wm_lua_check_op_metrics(L, 1);
    uint32_t tag = check_tag(L, m, 2);
    lua_pushnumber(L, (lua_Number)wm_op_metrics_recorded_count(m, tag));
    lua_pushnumber(L, (lua_Number)wm_op_metrics_acked_count(m, tag));
    return 2;
}

/* partitions(): by partition + 1, { ops acknowledged, mean latency in seconds or
 * false, node_index of the node that acknowledged last or -1 }: three lists. */
static int l_partitions(lua_State *L)
{
    const wm_op_metrics *m = wm_lua_check_op_metrics(L, 1);
    uint32_t count = wm_op_metrics_partitions(m);
    for (int i = 0; i < 3; i++) lua_createtable(L, (int)count, 0);
    for (uint32_t p = 0; p < count; p++) {
        const wm_partition_figures *f = wm_op_metrics_partition(m, p);
        lua_pushnumber(L, (lua_Number)f->ops);
        lua_rawseti(L, -4, (int)p + 1);
        if (f->ops > 0) lua_pushnumber(L, (lua_Number)f->latency_us / (lua_Number)f->ops / 1e6);
        else lua_pushboolean(L, 0);
        lua_rawseti(L, -3, (int)p + 1);
        lua_pushinteger(L, f->node_index);
        lua_rawseti(L, -2, (int)p + 1);
    }
    return 3;
}

void wm_lua_open_op_metrics(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"context", l_context},
        {"add_tag", l_add_tag},
        {"merge", l_merge},
        {"merge_node", l_merge_node},
        {"merge_connections", l_merge_connections},
        {"take_interval", l_take_interval},
        {"counts", l_counts},
        {"partitions", l_partitions},
        {NULL, NULL},
    };
    wm_lua_new_class(L, CLASS, (const luaL_Reg *const[]){methods, NULL}, l_gc);

    lua_pushcfunction(L, l_new);
    lua_setfield(L, -2, "op_metrics");
}
