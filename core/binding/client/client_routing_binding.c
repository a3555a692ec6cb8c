/* Methods of a client: where operations go. */
#include <limits.h>
#include <string.h>

#include "base/status.h"
#include "binding/client/client_userdata.h"

/* Reads the first argument of set_routes into `node_indexes`. */
static void read_routes(lua_State *L, int *node_indexes, uint32_t count)
{
    bool is_one = lua_isnumber(L, 2);
    if (!is_one) luaL_checktype(L, 2, LUA_TTABLE);
    for (uint32_t p = 0; p < count; p++) {
        if (is_one) lua_pushvalue(L, 2);
        else lua_rawgeti(L, 2, (int)p + 1);
        lua_Number n = lua_tonumber(L, -1);
        if (lua_isnil(L, -1)) node_indexes[p] = WM_ROUTE_KEPT;
        else node_indexes[p] = lua_isnumber(L, -1) && n >= -1 && n < INT_MAX ? (int)n : INT_MAX; /* no node's */
        lua_pop(L, 1);
    }
}

/* Pushes {partition, from, to, partition, from, to, ...} of the partitions that moved; nil when none did. */
static void push_moves(lua_State *L, const wm_route_table *routes, const int *from)
{
    int moved = 0;
    for (uint32_t p = 0; p < routes->count; p++) moved += from[p] >= 0;
    if (moved == 0) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 3 * moved, 0);
    for (uint32_t p = 0, at = 0; p < routes->count; p++) {
        if (from[p] < 0) continue;
        const int move[] = {(int)p, from[p], routes->all[p].node_index};
        for (int i = 0; i < 3; i++) {
            lua_pushinteger(L, move[i]);
            lua_rawseti(L, -2, (int)++at);
        }
    }
}

/* set_routes(routes): where partitions go from now on. routes[partition + 1] is a node index, -1 to
 * hold the partition, nil to leave its route as it is; a number in place of the list is for all of them.
 * Returns how many partitions have a route, and which of them go to another node than they last did:
 * {partition, from, to, partition, from, to, ...}, or nil. */
static int l_set_routes(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    uint32_t count = wm_client_partition_count(c);
    int *node_indexes = lua_newuserdata(L, 2 * count * sizeof *node_indexes), *from = node_indexes + count;
    read_routes(L, node_indexes, count);
    if (wm_client_set_routes(c, node_indexes, from) < 0) return luaL_error(L, "set_routes: there is no node of this index");
    const wm_route_table *routes = wm_client_routes(c);
    uint32_t routed = 0;
    for (uint32_t p = 0; p < count; p++) routed += routes->all[p].node_index >= 0;
    lua_pushinteger(L, (lua_Integer)routed);
    push_moves(L, routes, from);
    return 2;
}

/* routes(): by partition + 1 the index of the node that it goes to, -1 while it is held. */
static int l_routes(lua_State *L)
{
    const wm_route_table *routes = wm_client_routes(wm_lua_check_client(L));
    lua_createtable(L, (int)routes->count, 0);
    for (uint32_t p = 0; p < routes->count; p++) {
        lua_pushinteger(L, routes->all[p].node_index);
        lua_rawseti(L, -2, (int)p + 1);
    }
    return 1;
}

/* route_changes(): how often the operations of a partition were given another connection, or none. */
static int l_route_changes(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_client_routes(wm_lua_check_client(L))->changes);
    return 1;
}

/* partitions_at(node index): the partitions that go there, or did last and are held. */
static int l_partitions_at(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    int node_index = wm_lua_check_node(L, c, 2), found = 0;
    const wm_route_table *routes = wm_client_routes(c);
    lua_newtable(L);
    for (uint32_t p = 0; p < routes->count; p++) {
        if (routes->all[p].home != node_index) continue;
        lua_pushinteger(L, (lua_Integer)p);
        lua_rawseti(L, -2, ++found);
    }
    return 1;
}

/* The address for the FFI; valid until the client is closed. */
static int l_pointer(lua_State *L)
{
    lua_pushlightuserdata(L, wm_lua_check_client(L));
    return 1;
}

/* node_of_key(key): the index of the node that a key is routed to, -1 when it is held. */
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
 * (node index), partition_count, nodes = {{id, endpoint, status}}, owners[partition+1]
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

/* map_version(): the version of the held map, 0 before the first; how many maps were held so far; and how
 * many were decoded. */
static int l_map_version(lua_State *L)
{
    const wm_map_chooser *chooser = wm_client_map_chooser(wm_lua_check_client(L));
    const wm_partition_map *map = wm_map_chooser_map(chooser);
    lua_pushnumber(L, map ? (lua_Number)map->version : 0);
    lua_pushnumber(L, (lua_Number)wm_map_chooser_generation(chooser));
    lua_pushnumber(L, (lua_Number)wm_map_chooser_decoded(chooser));
    return 3;
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

/* confirm_map(node_index): the node has nothing newer than the map that it gave. */
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

/* are_routes_new(): whether no route was set since the client began, or since keys belong to other
 * partitions than before (another hash, another number of them). All partitions are held then. */
static int l_are_routes_new(lua_State *L)
{
    lua_pushboolean(L, wm_client_routes(wm_lua_check_client(L))->is_new);
    return 1;
}

const luaL_Reg wm_lua_client_routing_methods[] = {
    {"set_routes", l_set_routes},
    {"are_routes_new", l_are_routes_new},
    {"routes", l_routes},
    {"route_changes", l_route_changes},
    {"partitions_at", l_partitions_at},
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
