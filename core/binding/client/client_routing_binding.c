/* Methods of a client: where operations go. */
#include <limits.h>
#include <string.h>

#include "base/status.h"
#include "binding/client/client_userdata.h"

static int l_set_route(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_Integer partition = luaL_checkinteger(L, 2);
    lua_Integer slot = luaL_checkinteger(L, 3);
    if (partition < 0 || partition >= (lua_Integer)wm_client_partition_count(c) || slot > INT_MAX || slot < -1 ||
        wm_client_set_route(c, (uint32_t)partition, (int)slot) < 0)
        return luaL_error(L, "set_route: no partition %d or no node slot %d", (int)partition, (int)slot);
    return 0;
}

static int l_route(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_Integer partition = luaL_checkinteger(L, 2);
    if (partition < 0 || partition >= (lua_Integer)wm_client_partition_count(c))
        return luaL_argerror(L, 2, "no such partition");
    lua_pushinteger(L, wm_client_route(c, (uint32_t)partition));
    return 1;
}

/* The address for the FFI; valid until the client is closed. */
static int l_pointer(lua_State *L)
{
    lua_pushlightuserdata(L, wm_lua_check_client(L));
    return 1;
}

/* node_of_key(key): the slot that a key is routed to, -1 when it is held. */
static int l_node_of_key(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    lua_pushinteger(L, wm_client_node_of_key(c, key, len));
    return 1;
}

static int l_set_hash(lua_State *L)
{
    static const char *const names[] = {"unknown", "fnv1a", "xxh64", NULL};
    wm_client *c = wm_lua_check_client(L);
    return wm_lua_push_result(L, wm_client_set_hash(c, (wm_hash_kind)luaL_checkoption(L, 2, NULL, names)));
}

static int l_partition_of(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    lua_pushinteger(L, wm_client_partition_of(c, key, len));
    return 1;
}

static int l_partition_count(lua_State *L)
{
    lua_pushinteger(L, wm_client_partition_count(wm_lua_check_client(L)));
    return 1;
}

/* Pushes {{id, endpoint, status}} and the ids alone. */
static void push_map_nodes(lua_State *L, const wm_partition_map *map)
{
    lua_createtable(L, (int)map->node_count, 0);
    lua_createtable(L, (int)map->node_count, 0);
    for (uint32_t i = 0; i < map->node_count; i++) {
        lua_createtable(L, 0, 3); /* nodes, ids, node */
        lua_pushstring(L, map->nodes[i].id);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -4, (int)i + 1);
        lua_setfield(L, -2, "id");
        lua_pushstring(L, map->nodes[i].endpoint);
        lua_setfield(L, -2, "endpoint");
        lua_pushstring(L, map->nodes[i].status);
        lua_setfield(L, -2, "status");
        lua_rawseti(L, -3, (int)i + 1);
    }
}

/* Pushes the ids of a partition's backups: the same table for the same list, of which
 * there are few. `last` has, by its first node, the place of the latest list, 0: none. */
static void push_backups(lua_State *L, const wm_partition_map *map, uint32_t p, int ids, int backups, uint32_t *last)
{
    const uint16_t *list = map->backups + map->backup_from[p];
    uint32_t count = map->backup_from[p + 1] - map->backup_from[p];
    uint32_t *latest = count > 0 ? &last[list[0]] : NULL;
    if (latest != NULL && *latest != 0) {
        uint32_t from = map->backup_from[*latest - 1];
        if (map->backup_from[*latest] - from == count && memcmp(map->backups + from, list, count * sizeof *list) == 0) {
            lua_rawgeti(L, backups, (int)*latest);
            return;
        }
    }
    if (latest != NULL) *latest = p + 1;
    lua_createtable(L, (int)count, 0);
    for (uint32_t k = 0; k < count; k++) {
        lua_rawgeti(L, ids, list[k] + 1);
        lua_rawseti(L, -2, (int)k + 1);
    }
}

/* The held partition map as a table: version, generated_at (Unix ms), source
 * (slot), partition_count, nodes = {{id, endpoint, status}}, owners[partition+1]
 * and backups[partition+1] = {ids}, not to be changed. nil before the first map. */
static int l_partition_map(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    const wm_partition_map *map = wm_map_chooser_map(wm_client_map_chooser(c));
    if (map == NULL) return 0;
    lua_createtable(L, 0, 7);
    wm_lua_set_number(L, "version", (lua_Number)map->version);
    wm_lua_set_number(L, "generated_at", map->generated_at_ms);
    wm_lua_set_number(L, "source", wm_map_chooser_map_source(wm_client_map_chooser(c)));
    wm_lua_set_number(L, "partition_count", map->partition_count);
    push_map_nodes(L, map);
    lua_insert(L, -2); /* map, ids, nodes */
    lua_setfield(L, -3, "nodes");
    int ids = lua_gettop(L);
    uint32_t *last = lua_newuserdata(L, map->node_count * sizeof *last);
    memset(last, 0, map->node_count * sizeof *last);
    lua_createtable(L, (int)map->partition_count, 0);
    lua_createtable(L, (int)map->partition_count, 0); /* map, ids, last, owners, backups */
    for (uint32_t p = 0; p < map->partition_count; p++) {
        uint16_t owner = map->owners[p];
        if (owner == WM_MAP_NO_NODE) lua_pushboolean(L, 0);
        else lua_rawgeti(L, ids, owner + 1);
        lua_rawseti(L, -3, (int)p + 1);
        push_backups(L, map, p, ids, ids + 3, last);
        lua_rawseti(L, -2, (int)p + 1);
    }
    lua_setfield(L, ids - 1, "backups");
    lua_setfield(L, ids - 1, "owners");
    lua_settop(L, ids - 1);
    return 1;
}

static int l_map_version(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    const wm_partition_map *map = wm_map_chooser_map(wm_client_map_chooser(c));
    lua_pushnumber(L, map ? (lua_Number)map->version : 0);
    lua_pushnumber(L, (lua_Number)wm_map_chooser_generation(wm_client_map_chooser(c)));
    return 2;
}

/* The version that a node last gave in its present connection; 0: none. */
static int l_version_of(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_pushnumber(L, (lua_Number)wm_map_chooser_version_of(wm_client_map_chooser(c), wm_lua_check_node(L, c, 2)));
    return 1;
}

static int l_routing_metrics(lua_State *L)
{
    wm_routing_metrics *m = wm_map_chooser_metrics(wm_client_map_chooser(wm_lua_check_client(L)));
    lua_newtable(L);
    wm_lua_set_number(L, "direct_routes", (lua_Number)m->direct_routes);
    wm_lua_set_number(L, "fallback_routes", (lua_Number)m->fallback_routes);
    wm_lua_set_number(L, "partition_misses", (lua_Number)m->partition_misses);
    wm_lua_set_number(L, "total_routes", (lua_Number)(m->direct_routes + m->fallback_routes + m->partition_misses));
    return 1;
}

static int l_reset_routing_metrics(lua_State *L)
{
    *wm_map_chooser_metrics(wm_client_map_chooser(wm_lua_check_client(L))) = (wm_routing_metrics){0};
    return 0;
}

/* confirm_map(slot): the node has nothing newer than the map that it gave. */
static int l_confirm_map(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    wm_map_chooser_confirm(wm_client_map_chooser(c), wm_lua_check_node(L, c, 2));
    return 0;
}

static int l_choose_map(lua_State *L)
{
    lua_pushboolean(L, wm_client_choose_map(wm_lua_check_client(L)));
    return 1;
}

const luaL_Reg wm_lua_client_routing_methods[] = {
    {"set_route", l_set_route},
    {"route", l_route},
    {"pointer", l_pointer},
    {"node_of_key", l_node_of_key},
    {"set_hash", l_set_hash},
    {"partition_of", l_partition_of},
    {"partition_count", l_partition_count},
    {"partition_map", l_partition_map},
    {"choose_map", l_choose_map},
    {"confirm_map", l_confirm_map},
    {"map_version", l_map_version},
    {"version_of", l_version_of},
    {"routing_metrics", l_routing_metrics},
    {"reset_routing_metrics", l_reset_routing_metrics},
    {NULL, NULL},
};
