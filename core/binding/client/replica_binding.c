/* The replica of a map, as methods of the map. */
#include "base/clock.h"
#include "base/status.h"
#include "binding/client/client_userdata.h"

static wm_replica *check_replica(lua_State *L)
{
    wm_replica *r = wm_map_replica(wm_lua_check_map(L));
    if (r == NULL) luaL_error(L, "the map is not replicated");
    return r;
}

/* replicate(check_us, drops_lost): true; nil and the reason. */
static int l_replicate(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    wm_map_replica_options options = {
        .check_us = wm_lua_check_whole(L, 2),
        .drops_lost = lua_toboolean(L, 3),
    };
    return wm_lua_push_result(L, wm_map_replicate(m, &options));
}

/* keep(path): true; nil, the reason and the problem's name. See wm_map_keep. */
static int l_keep(lua_State *L)
{
    wm_log_error e;
    if (wm_map_keep(wm_lua_check_map(L), luaL_checkstring(L, 2), &e)) {
        lua_pushboolean(L, true);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, e.text);
    lua_pushstring(L, wm_log_problem_name(e.problem));
    return 3;
}

/* saved(): bytes of the file; why what was in it was dropped, or nil; why it cannot be written, or nil, and the problem's name.
 * Nothing for a map that is not kept. */
static int l_saved(lua_State *L)
{
    const wm_saved_copy *s = wm_map_saved(wm_lua_check_map(L));
    if (s == NULL) return 0;
    const wm_log_error *problem = wm_saved_copy_problem(s);
    lua_pushnumber(L, (lua_Number)wm_saved_copy_bytes(s));
    lua_pushstring(L, wm_saved_copy_dropped(s));
    if (problem->problem == WM_LOG_NONE) return 2;
    lua_pushstring(L, problem->text);
    lua_pushstring(L, wm_log_problem_name(problem->problem));
    return 4;
}

/* kept(i): the number i, from 0, of the holdings: index of the node (-1: it was not connected in this process), its id then, seconds since it
 * was last equal (nil: never), records. Nothing at the end. */
static int l_kept(lua_State *L)
{
    const wm_replica *r = check_replica(L); /* before the other arguments, whose order C leaves open */
    uint32_t i = (uint32_t)luaL_checkinteger(L, 2);
    wm_kept_holding n;
    uint64_t wall_ms = wm_wall_ms();
    if (!wm_replica_kept(r, i, wm_now_us(), wall_ms, &n)) return 0;
    lua_pushinteger(L, n.node_index);
    lua_pushstring(L, n.id);
    if (n.equal_ms > 0) lua_pushnumber(L, wall_ms > n.equal_ms ? (lua_Number)(wall_ms - n.equal_ms) / 1000 : 0);
    else lua_pushnil(L);
    lua_pushnumber(L, (lua_Number)wm_holding_count(n.holding));
    return 4;
}

static int l_drop_restored(lua_State *L)
{
    wm_replica_drop_restored(check_replica(L));
    return 0;
}

static int l_end(lua_State *L)
{
    wm_map_end_replica(wm_lua_check_map(L));
    return 0;
}

/* can_follow(): whether the cluster is known, which has to be so before a node is followed. */
static int l_can_follow(lua_State *L)
{
    wm_lua_check_map(L);
    map_slot *slot = lua_touserdata(L, 1);
    lua_pushboolean(L, wm_client_knows_cluster(slot->owner->client));
    return 1;
}

/* follow(connection): true; nil and the reason. */
static int l_follow(lua_State *L)
{
    check_replica(L);
    map_slot *slot = lua_touserdata(L, 1);
    int connection = wm_lua_check_connection(L, slot->owner->client, 2);
    return wm_lua_push_result(L, wm_map_follow(slot->map, connection));
}

/* subscribed(query id): see wm_map_subscribed. */
static int l_subscribed(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    return wm_lua_push_result(L, wm_map_subscribed(m, luaL_checkstring(L, 2)));
}

/* forsake(node index): see wm_replica_forsake. */
static int l_forsake(lua_State *L)
{
    wm_replica *r = check_replica(L);
    wm_replica_forsake(r, (int)luaL_checkinteger(L, 2));
    return 0;
}

/* watch(own): own writes are changes, too, from now on. */
static int l_watch(lua_State *L)
{
    wm_replica *r = check_replica(L);
    if (lua_toboolean(L, 2)) wm_map_watch_own(wm_lua_check_map(L));
    else wm_replica_watch(r);
    return 0;
}

/* The number of changes that next_change has. */
static int l_changes(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_replica_changes(check_replica(L)));
    return 1;
}

/* behind(): see wm_replica_behind. */
static int l_behind(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_replica_behind(check_replica(L)));
    return 1;
}

/* next_change(): the key, its origin and its value; nothing at the end. */
static int l_next_change(lua_State *L)
{
    wm_record record;
    wm_change_origin origin;
    if (!wm_replica_next_change(check_replica(L), &record, &origin)) return 0;
    lua_pushlstring(L, record.key, record.key_len);
    lua_pushstring(L, wm_change_origin_name(origin));
    if (record.value == NULL) lua_pushnil(L);
    else wm_lua_push_map_value(L, record.value, record.value_len);
    return 3;
}

static const char *state_name(wm_sync_state state)
{
    static const char *const names[] = {"off", "waiting", "asking", "matching", "walking"};
    return names[state];
}

/* node(node index): state, whether the roots were never equal on this connection, seconds since they were last
 * (nil: never), requests, comparisons, walks, refused answers, records, whether it was read (wm_sync_is_read), whether records
 * of it were refused for want of room, and whether there is none now. Nothing for a node that was never connected. */
static int l_node(lua_State *L)
{
    wm_replica *r = check_replica(L);
    const wm_sync *s = wm_replica_sync(r, (int)luaL_checkinteger(L, 2));
    if (s == NULL) return 0;
    lua_pushstring(L, state_name(s->state));
    lua_pushboolean(L, s->is_new);
    if (s->equal_us > 0) lua_pushnumber(L, (lua_Number)s->equal_us / 1e6);
    else lua_pushnil(L);
    lua_pushnumber(L, (lua_Number)s->requests);
    lua_pushnumber(L, (lua_Number)s->compares);
    lua_pushnumber(L, (lua_Number)s->walks);
    lua_pushnumber(L, (lua_Number)s->refused);
    lua_pushnumber(L, (lua_Number)wm_holding_count(s->holding));
    lua_pushboolean(L, wm_sync_is_read(s));
    lua_pushboolean(L, s->is_short);
    lua_pushboolean(L, s->is_resting);
    return 11;
}

/* figures(): events, repairs, lost, gone, records, how often memory was wanting, the repairs that events should
 * have spared, holdings that lack records for want of room, and whether there is none now. */
static int l_figures(lua_State *L)
{
    wm_replica_figures f = wm_replica_figures_of(check_replica(L));
    lua_pushnumber(L, (lua_Number)f.events);
    lua_pushnumber(L, (lua_Number)f.repairs);
    lua_pushnumber(L, (lua_Number)f.lost);
    lua_pushnumber(L, (lua_Number)f.gone);
    lua_pushnumber(L, (lua_Number)f.records);
    lua_pushnumber(L, (lua_Number)f.no_memory);
    lua_pushnumber(L, (lua_Number)f.missed);
    lua_pushnumber(L, f.short_of);
    lua_pushboolean(L, f.is_full);
    return 9;
}

/* next_loss(): the node index, and the positions from which and up to which next_lost has the keys of a loss that was not
 * told yet; nothing when there is none. */
static int l_next_loss(lua_State *L)
{
    int node_index;
    uint64_t first, end;
    if (!wm_replica_next_loss(check_replica(L), &node_index, &first, &end)) return 0;
    lua_pushinteger(L, node_index);
    lua_pushnumber(L, (lua_Number)first);
    lua_pushnumber(L, (lua_Number)end);
    return 3;
}

/* next_lost(position): the next position and a key that is lost; nothing at the end. */
static int l_next_lost(lua_State *L)
{
    wm_record record;
    wm_replica *r = check_replica(L);
    uint64_t position = wm_replica_next_lost(r, wm_lua_check_whole(L, 2), &record);
    if (position == 0) return 0;
    lua_pushnumber(L, (lua_Number)position);
    lua_pushlstring(L, record.key, record.key_len);
    return 2;
}

/* hurry(node index): the next comparison comes at once. */
static int l_hurry(lua_State *L)
{
    wm_replica *r = check_replica(L);
    wm_sync *s = wm_replica_sync(r, (int)luaL_checkinteger(L, 2));
    if (s != NULL) wm_sync_hurry(s);
    return 0;
}

/* where(key): the index of the node that holds what is shown, -1 for none; whether it is an own write that was
 * not seen back; whether its node has lost it. Nothing for an unknown key. */
static int l_where(lua_State *L)
{
    size_t len;
    wm_replica *r = check_replica(L);
    const char *key = luaL_checklstring(L, 2, &len);
    wm_replica_place place;
    wm_record record;
    if (!wm_replica_get(r, key, len, &record, &place)) return 0;
    lua_pushinteger(L, place.node_index);
    lua_pushboolean(L, place.is_own);
    lua_pushboolean(L, place.is_lost);
    return 3;
}

/* replica_news(), a method of the client: see wm_client_replica_news. */
static int l_news(lua_State *L)
{
    uint64_t turns, changes;
    wm_client_replica_news(wm_lua_check_client(L), &turns, &changes);
    lua_pushnumber(L, (lua_Number)turns);
    lua_pushnumber(L, (lua_Number)changes);
    return 2;
}

const luaL_Reg wm_lua_client_replica_methods[] = {
    {"replica_news", l_news},
    {NULL, NULL},
};

const luaL_Reg wm_lua_replica_methods[] = {
    {"replicate", l_replicate},
    {"replica_keep", l_keep},
    {"replica_saved", l_saved},
    {"replica_kept", l_kept},
    {"replica_drop_restored", l_drop_restored},
    {"replica_end", l_end},
    {"replica_can_follow", l_can_follow},
    {"replica_follow", l_follow},
    {"replica_subscribed", l_subscribed},
    {"replica_forsake", l_forsake},
    {"replica_watch", l_watch},
    {"replica_changes", l_changes},
    {"replica_behind", l_behind},
    {"replica_next_change", l_next_change},
    {"replica_node", l_node},
    {"replica_figures", l_figures},
    {"replica_next_loss", l_next_loss},
    {"replica_next_lost", l_next_lost},
    {"replica_hurry", l_hurry},
    {"replica_where", l_where},
    {NULL, NULL},
};
