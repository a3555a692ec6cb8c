/* wingman.core.client(loop, options): the C client as a Lua object. What waits,
 * decides or calls back is Lua (lua/wingman/); here are numbers and bytes. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "client.h"
#include "codec.h"
#include "loop_userdata.h"
#include "status.h"

#define CLIENT "wingman.core.client"
#define MAP "wingman.core.map"
/* A larger scratch buffer is not kept. */
#define SCRATCH_KEPT (1 << 20)

typedef struct client_slot {
    wm_client *client;
    wm_buffer scratch; /* for values and batches on their way; see borrow */
} client_slot;

/* A map of a client; its environment table keeps the client's userdata alive. */
typedef struct map_slot {
    wm_map *map;
    client_slot *owner;
} map_slot;

static wm_client *check_client(lua_State *L)
{
    client_slot *slot = luaL_checkudata(L, 1, CLIENT);
    if (slot->client == NULL) luaL_error(L, "the client is closed");
    return slot->client;
}

static wm_map *check_map(lua_State *L)
{
    map_slot *slot = luaL_checkudata(L, 1, MAP);
    if (slot->owner->client == NULL) luaL_error(L, "the client of this map is closed");
    return slot->map;
}

/* The scratch buffer, so that nothing is allocated per call. It is taken out
 * meanwhile: a finalizer that runs during the call may need one too. */
static wm_buffer borrow(client_slot *slot)
{
    wm_buffer b = slot->scratch;
    wm_buffer_init(&slot->scratch);
    b.len = 0;
    return b;
}

static void give_back(client_slot *slot, wm_buffer *b)
{
    if (slot->client == NULL || slot->scratch.data != NULL || b->failed || b->cap > SCRATCH_KEPT) wm_buffer_close(b);
    else slot->scratch = *b;
}

static int check_node(lua_State *L, wm_client *c, int index)
{
    lua_Integer slot = luaL_checkinteger(L, index);
    if (slot < 0 || slot >= (lua_Integer)wm_node_pool_count(wm_client_pool(c)))
        luaL_argerror(L, index, "no such node slot");
    return (int)slot;
}

static int check_lane(lua_State *L, wm_client *c, int index)
{
    lua_Integer lane = luaL_checkinteger(L, index);
    if (lane < 0 || lane >= (lua_Integer)wm_node_pool_lanes(wm_client_pool(c))) luaL_argerror(L, index, "no such lane");
    return (int)lane;
}

static const char *status_text(int status)
{
    switch (status) {
    case WM_ENOMEM: return "out of memory";
    case WM_EFULL: return "full";
    case WM_ESIZE: return "too large";
    case WM_EINVAL: return "invalid";
    default: return "unknown error";
    }
}

static int push_result(lua_State *L, int status)
{
    if (status >= 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, status_text(status));
    return 2;
}

/* -- options ---------------------------------------------------------------------------- */

static lua_Number number_option(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    if (!lua_isnumber(L, -1)) luaL_error(L, "client option %s: a number is expected", name);
    lua_Number n = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return n;
}

static bool boolean_option(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    bool b = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return b;
}

/* The text stays alive in the options table. */
static const char *string_option(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    const char *s = lua_tostring(L, -1);
    lua_pop(L, 1);
    return s;
}

static uint64_t seconds_option(lua_State *L, const char *name)
{
    return (uint64_t)(number_option(L, name) * 1e6);
}

static int l_client(lua_State *L)
{
    wm_loop *loop = wm_lua_check_loop(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    wm_client_options o = {
        .node_id = string_option(L, "node_id"),
        .op_prefix = string_option(L, "op_prefix"),
        .transport =
            {
                .ca_file = string_option(L, "ca_file"),
                .tls_verify = boolean_option(L, "tls_verify"),
                .max_message = (size_t)number_option(L, "max_message_bytes"),
                .connect_timeout_us = seconds_option(L, "connect_timeout"),
            },
        .pool =
            {
                .connections_per_node = (uint32_t)number_option(L, "connections_per_node"),
                .heartbeat_us = seconds_option(L, "heartbeat_interval"),
                .heartbeat_timeout_us = seconds_option(L, "heartbeat_timeout"),
                .auth_timeout_us = seconds_option(L, "auth_timeout"),
                .max_queued_bytes = (size_t)number_option(L, "max_queued_bytes"),
            },
        .batch =
            {
                .max_ops = (uint32_t)number_option(L, "batch_ops"),
                .max_bytes = (uint32_t)number_option(L, "batch_bytes"),
                .max_in_flight = (uint32_t)number_option(L, "max_in_flight"),
                .linger_us = seconds_option(L, "linger"),
                .ack_timeout_us = seconds_option(L, "ack_timeout"),
            },
        .log =
            {
                .max_ops = (uint32_t)number_option(L, "log_ops"),
                .max_bytes = (size_t)number_option(L, "log_bytes"),
            },
        .drop_oldest = boolean_option(L, "drop_oldest"),
        .high_water = number_option(L, "high_water"),
        .low_water = number_option(L, "low_water"),
    };
    if (o.node_id == NULL || o.op_prefix == NULL || strlen(o.op_prefix) != 8)
        return luaL_error(L, "client options node_id and op_prefix (8 characters) are needed");
    client_slot *slot = lua_newuserdata(L, sizeof *slot);
    slot->client = NULL;
    wm_buffer_init(&slot->scratch);
    luaL_getmetatable(L, CLIENT);
    lua_setmetatable(L, -2);
    lua_newtable(L); /* the loop must outlive the client */
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "loop");
    lua_setfenv(L, -2);
    const char *error = NULL;
    slot->client = wm_client_new(loop, &o, &error);
    if (slot->client != NULL) return 1;
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int l_close(lua_State *L)
{
    client_slot *slot = luaL_checkudata(L, 1, CLIENT);
    wm_client *c = slot->client;
    slot->client = NULL;
    wm_client_free(c);
    wm_buffer_close(&slot->scratch);
    wm_buffer_init(&slot->scratch);
    return 0;
}

/* -- nodes ------------------------------------------------------------------------------- */

static int l_add_node(lua_State *L)
{
    wm_client *c = check_client(L);
    const char *url = luaL_checkstring(L, 2);
    int slot = wm_client_add_node(c, url);
    if (slot >= 0) {
        lua_pushinteger(L, slot);
        return 1;
    }
    lua_pushnil(L);
    if (slot == WM_EINVAL) lua_pushfstring(L, "'%s' is not a ws:// or wss:// URL", url);
    else lua_pushstring(L, status_text(slot));
    return 2;
}

static int l_set_node_id(lua_State *L)
{
    wm_client *c = check_client(L);
    int slot = check_node(L, c, 2);
    return push_result(L, wm_node_pool_set_id(wm_client_pool(c), slot, luaL_checkstring(L, 3)));
}

static int l_lane_of(lua_State *L)
{
    wm_client *c = check_client(L);
    int slot = check_node(L, c, 2);
    lua_pushinteger(L, wm_node_pool_lane_of(wm_client_pool(c), slot, (uint32_t)luaL_checkinteger(L, 3)));
    return 1;
}

static int l_slot_of(lua_State *L)
{
    wm_client *c = check_client(L);
    lua_pushinteger(L, wm_node_pool_slot_of(wm_client_pool(c), check_lane(L, c, 2)));
    return 1;
}

static int l_connect(lua_State *L)
{
    wm_client *c = check_client(L);
    return push_result(L, wm_node_pool_connect(wm_client_pool(c), check_lane(L, c, 2)));
}

static int l_disconnect(lua_State *L)
{
    wm_client *c = check_client(L);
    wm_node_pool_disconnect(wm_client_pool(c), check_lane(L, c, 2), (int)luaL_optinteger(L, 3, 1000));
    return 0;
}

static int l_authenticate(lua_State *L)
{
    wm_client *c = check_client(L);
    int lane = check_lane(L, c, 2);
    size_t len;
    const char *token = luaL_checklstring(L, 3, &len);
    return push_result(L, wm_node_pool_authenticate(wm_client_pool(c), lane, token, len));
}

static int l_send(lua_State *L)
{
    wm_client *c = check_client(L);
    int lane = check_lane(L, c, 2);
    size_t len;
    const char *message = luaL_checklstring(L, 3, &len);
    return push_result(L, wm_node_pool_send(wm_client_pool(c), lane, (const uint8_t *)message, len));
}

static void set_number(lua_State *L, const char *name, lua_Number n)
{
    lua_pushnumber(L, n);
    lua_setfield(L, -2, name);
}

static int l_lane_info(lua_State *L)
{
    static const char *const states[] = {"idle", "connecting", "authenticating", "ready"};
    wm_client *c = check_client(L);
    int lane = check_lane(L, c, 2);
    wm_lane_info info = wm_node_pool_lane(wm_client_pool(c), lane);
    wm_lane_load load = wm_batcher_load(wm_client_batcher(c), lane);
    lua_newtable(L);
    lua_pushstring(L, states[info.state]);
    lua_setfield(L, -2, "state");
    lua_pushstring(L, wm_dialect_name(info.dialect));
    lua_setfield(L, -2, "dialect");
    set_number(L, "rtt", (lua_Number)info.rtt_us / 1e6);
    set_number(L, "bytes_in", (lua_Number)info.bytes_in);
    set_number(L, "bytes_out", (lua_Number)info.bytes_out);
    set_number(L, "connects", info.connects);
    set_number(L, "pending_ops", load.pending_ops);
    set_number(L, "in_flight_batches", load.in_flight_batches);
    set_number(L, "in_flight_ops", load.in_flight_ops);
    return 1;
}

static int l_node_stats(lua_State *L)
{
    wm_client *c = check_client(L);
    const wm_node_stats *s = wm_client_node_stats(c, check_node(L, c, 2));
    lua_newtable(L);
    set_number(L, "ops_sent", (lua_Number)s->ops_sent);
    set_number(L, "ops_acked", (lua_Number)s->ops_acked);
    set_number(L, "batches_sent", (lua_Number)s->batches_sent);
    return 1;
}

static int l_use_lane(lua_State *L)
{
    wm_client *c = check_client(L);
    wm_client_use_lane(c, check_lane(L, c, 2));
    return 0;
}

/* -- routing ------------------------------------------------------------------------------ */

static int l_set_route(lua_State *L)
{
    wm_client *c = check_client(L);
    lua_Integer partition = luaL_checkinteger(L, 2);
    lua_Integer slot = luaL_checkinteger(L, 3);
    if (partition < 0 || wm_client_set_route(c, (uint32_t)partition, (int)slot) < 0)
        return luaL_error(L, "set_route: no partition %d or no node slot %d", (int)partition, (int)slot);
    return 0;
}

static int l_route(lua_State *L)
{
    wm_client *c = check_client(L);
    lua_Integer partition = luaL_checkinteger(L, 2);
    if (partition < 0 || partition >= (lua_Integer)wm_client_partition_count(c))
        return luaL_argerror(L, 2, "no such partition");
    lua_pushinteger(L, wm_client_route(c, (uint32_t)partition));
    return 1;
}

/* The address for the FFI; valid until the client is closed. */
static int l_pointer(lua_State *L)
{
    lua_pushlightuserdata(L, check_client(L));
    return 1;
}

/* slot_of_key(key): the slot that a key is routed to, -1 when it is held. */
static int l_slot_of_key(lua_State *L)
{
    wm_client *c = check_client(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    lua_pushinteger(L, wm_client_slot_of_key(c, key, len));
    return 1;
}

static int l_set_hash(lua_State *L)
{
    static const char *const names[] = {"unknown", "fnv1a", "xxh64", NULL};
    wm_client *c = check_client(L);
    return push_result(L, wm_client_set_hash(c, (wm_hash_kind)luaL_checkoption(L, 2, NULL, names)));
}

static int l_partition_of(lua_State *L)
{
    wm_client *c = check_client(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    lua_pushinteger(L, wm_client_partition_of(c, key, len));
    return 1;
}

static int l_partition_count(lua_State *L)
{
    lua_pushinteger(L, wm_client_partition_count(check_client(L)));
    return 1;
}

/* The held partition map as a table: version, generated_at (Unix ms), source
 * (slot), partition_count, nodes = {{id, endpoint, status}}, owners[partition+1]
 * and backups[partition+1] = {ids}. nil before the first map. */
static int l_partition_map(lua_State *L)
{
    wm_client *c = check_client(L);
    const wm_partition_map *map = wm_router_map(wm_client_router(c));
    if (map == NULL) return 0;
    lua_newtable(L);
    set_number(L, "version", (lua_Number)map->version);
    set_number(L, "generated_at", map->generated_at_ms);
    set_number(L, "source", wm_router_map_source(wm_client_router(c)));
    set_number(L, "partition_count", map->partition_count);
    lua_createtable(L, (int)map->node_count, 0);
    for (uint32_t i = 0; i < map->node_count; i++) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, map->nodes[i].id);
        lua_setfield(L, -2, "id");
        lua_pushstring(L, map->nodes[i].endpoint);
        lua_setfield(L, -2, "endpoint");
        lua_pushstring(L, map->nodes[i].status);
        lua_setfield(L, -2, "status");
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "nodes");
    lua_createtable(L, (int)map->partition_count, 0);
    lua_createtable(L, (int)map->partition_count, 0);
    for (uint32_t p = 0; p < map->partition_count; p++) {
        uint16_t owner = map->owners[p];
        if (owner == WM_MAP_NO_NODE) lua_pushboolean(L, 0);
        else lua_pushstring(L, map->nodes[owner].id);
        lua_rawseti(L, -3, (int)p + 1);
        lua_newtable(L);
        for (uint32_t k = map->backup_from[p]; k < map->backup_from[p + 1]; k++) {
            lua_pushstring(L, map->nodes[map->backups[k]].id);
            lua_rawseti(L, -2, (int)(k - map->backup_from[p]) + 1);
        }
        lua_rawseti(L, -2, (int)p + 1);
    }
    lua_setfield(L, -3, "backups");
    lua_setfield(L, -2, "owners");
    return 1;
}

static int l_map_version(lua_State *L)
{
    wm_client *c = check_client(L);
    const wm_partition_map *map = wm_router_map(wm_client_router(c));
    lua_pushnumber(L, map ? (lua_Number)map->version : 0);
    lua_pushnumber(L, (lua_Number)wm_router_generation(wm_client_router(c)));
    return 2;
}

/* The version that a node last gave in its present connection; 0: none. */
static int l_version_of(lua_State *L)
{
    wm_client *c = check_client(L);
    lua_pushnumber(L, (lua_Number)wm_router_version_of(wm_client_router(c), check_node(L, c, 2)));
    return 1;
}

static int l_routing_metrics(lua_State *L)
{
    wm_routing_metrics *m = wm_router_metrics(wm_client_router(check_client(L)));
    lua_newtable(L);
    set_number(L, "direct_routes", (lua_Number)m->direct_routes);
    set_number(L, "fallback_routes", (lua_Number)m->fallback_routes);
    set_number(L, "partition_misses", (lua_Number)m->partition_misses);
    set_number(L, "total_routes", (lua_Number)(m->direct_routes + m->fallback_routes + m->partition_misses));
    return 1;
}

static int l_reset_routing_metrics(lua_State *L)
{
    *wm_router_metrics(wm_client_router(check_client(L))) = (wm_routing_metrics){0};
    return 0;
}

/* -- the op log ---------------------------------------------------------------------------- */

static int l_flush(lua_State *L)
{
    wm_client_flush(check_client(L));
    return 0;
}

/* Operations in the log, their bytes, held ones, the newest seq. */
static int l_pending(lua_State *L)
{
    wm_client *c = check_client(L);
    wm_oplog *log = wm_client_oplog(c);
    lua_pushnumber(L, wm_oplog_count(log));
    lua_pushnumber(L, (lua_Number)wm_oplog_bytes(log));
    lua_pushnumber(L, wm_batcher_held(wm_client_batcher(c)));
    lua_pushnumber(L, (lua_Number)wm_oplog_last_seq(log));
    return 4;
}

/* Pending operations with a seq above `after`, newest index first, as tables
 * {seq, id, key, partition, routed, bytes}; at most `most`. For foreign providers
 * and for reports, not for the hot path. */
static int l_operations(lua_State *L)
{
    wm_client *c = check_client(L);
    lua_Number after = luaL_checknumber(L, 2);
    lua_Integer most = luaL_optinteger(L, 3, 1000000);
    bool only_held = lua_toboolean(L, 4);
    wm_oplog *log = wm_client_oplog(c);
    int n = 0;
    lua_newtable(L);
    for (uint32_t i = 1; i < wm_oplog_end(log) && n < most; i++) {
        const wm_op *op = wm_oplog_at(log, i);
        if (op->state == WM_OP_FREE || (lua_Number)op->seq <= after) continue;
        bool routed = op->state == WM_OP_IN_FLIGHT || wm_batcher_route(wm_client_batcher(c), op->partition) != WM_LANE_NONE;
        if (only_held && routed) continue;
        lua_createtable(L, 0, 7);
        set_number(L, "seq", (lua_Number)op->seq);
        lua_pushlstring(L, wm_op_id(op), 21);
        lua_setfield(L, -2, "id");
        lua_pushlstring(L, (const char *)op->span.bytes + op->key_at, op->key_len);
        lua_setfield(L, -2, "key");
        set_number(L, "partition", op->partition);
        lua_pushboolean(L, routed);
        lua_setfield(L, -2, "routed");
        lua_pushboolean(L, op->state == WM_OP_IN_FLIGHT);
        lua_setfield(L, -2, "in_flight");
        lua_pushlstring(L, (const char *)op->span.bytes, op->span.len);
        lua_setfield(L, -2, "bytes");
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int l_notify(lua_State *L)
{
    wm_client *c = check_client(L);
    lua_pushboolean(L, wm_client_notify(c, (uint64_t)luaL_checknumber(L, 2)));
    return 1;
}

static int l_foreign_take(lua_State *L)
{
    wm_client *c = check_client(L);
    client_slot *slot = lua_touserdata(L, 1);
    wm_buffer out = borrow(slot);
    int ops = wm_client_foreign_take(c, &out);
    if (ops > 0) lua_pushlstring(L, (const char *)out.data, out.len);
    else lua_pushnil(L);
    give_back(slot, &out);
    lua_pushinteger(L, ops);
    return 2;
}

static int l_foreign_ack(lua_State *L)
{
    wm_client *c = check_client(L);
    size_t len;
    const char *id = luaL_checklstring(L, 2, &len);
    lua_pushnumber(L, wm_client_foreign_ack(c, id, len));
    return 1;
}

static int l_foreign_release(lua_State *L)
{
    lua_pushnumber(L, wm_client_foreign_release(check_client(L)));
    return 1;
}

/* -- events and figures ---------------------------------------------------------------------- */

/* type, lane, a, b, flag, text; nothing when there is no event. `a` is the reason's
 * key for "lost". */
static int l_next_event(lua_State *L)
{
    const char *text;
    const wm_event *e = wm_event_queue_pop(wm_client_events(check_client(L)), &text);
    if (e == NULL) return 0;
    lua_pushstring(L, wm_event_name(e->type));
    lua_pushinteger(L, e->lane);
    if (e->type == WM_EVENT_LOST) lua_pushstring(L, wm_end_reason_key((wm_end_reason)e->a));
    else lua_pushnumber(L, (lua_Number)e->a);
    lua_pushnumber(L, (lua_Number)e->b);
    lua_pushboolean(L, e->flag);
    lua_pushlstring(L, text, e->text_len);
    return 6;
}

static int l_stats(lua_State *L)
{
    wm_client *c = check_client(L);
    const wm_client_stats *s = wm_client_stats_of(c);
    lua_newtable(L);
    set_number(L, "ops_recorded", (lua_Number)s->ops_recorded);
    set_number(L, "ops_acked", (lua_Number)s->ops_acked);
    set_number(L, "ops_rejected", (lua_Number)s->ops_rejected);
    set_number(L, "ops_dropped", (lua_Number)s->ops_dropped);
    set_number(L, "ops_resent", (lua_Number)s->ops_resent);
    set_number(L, "batches_sent", (lua_Number)s->batches_sent);
    set_number(L, "batches_acked", (lua_Number)s->batches_acked);
    set_number(L, "stray_acks", (lua_Number)s->stray_acks);
    set_number(L, "overloads", (lua_Number)s->overloads);
    set_number(L, "bytes_sent", (lua_Number)s->bytes_sent);
    set_number(L, "log_footprint", (lua_Number)wm_oplog_footprint(wm_client_oplog(c)));
    return 1;
}

static void push_distribution(lua_State *L, const wm_histogram *h, lua_Number scale)
{
    static const struct {
        const char *name;
        double percentile;
    } points[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 99.9}};
    lua_newtable(L);
    set_number(L, "count", (lua_Number)wm_histogram_count(h));
    set_number(L, "min", (lua_Number)wm_histogram_min(h) * scale);
    set_number(L, "mean", wm_histogram_mean(h) * scale);
    set_number(L, "max", (lua_Number)wm_histogram_max(h) * scale);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        set_number(L, points[i].name, (lua_Number)wm_histogram_percentile(h, points[i].percentile) * scale);
}

/* Ack latency in seconds, batch sizes in operations: two tables with count, min,
 * mean, p50, p90, p99, p999, max. */
static int l_distributions(lua_State *L)
{
    wm_client *c = check_client(L);
    push_distribution(L, wm_client_ack_latency(c), 1e-6);
    push_distribution(L, wm_client_batch_sizes(c), 1);
    return 2;
}

/* -- maps -------------------------------------------------------------------------------------- */

static int l_map(lua_State *L)
{
    wm_client *c = check_client(L);
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    wm_map *map = wm_client_map(c, name, len);
    if (map == NULL) return luaL_error(L, "map '%s': out of memory", name);
    map_slot *slot = lua_newuserdata(L, sizeof *slot);
    slot->map = map;
    slot->owner = lua_touserdata(L, 1);
    luaL_getmetatable(L, MAP);
    lua_setmetatable(L, -2);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "client");
    lua_setfenv(L, -2);
    return 1;
}

/* The address for the FFI; valid until the client is closed. */
static int l_map_pointer(lua_State *L)
{
    lua_pushlightuserdata(L, check_map(L));
    return 1;
}

static int push_seq(lua_State *L, double seq)
{
    if (seq >= 0) {
        lua_pushnumber(L, seq);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, status_text((int)seq));
    return 2;
}

/* set(key, value): the general way, for any value that can be encoded; its seq,
 * or nil and "full", "too large", "out of memory", or the codec's reason. */
static int l_map_set(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    luaL_checkany(L, 3);
    client_slot *owner = ((map_slot *)lua_touserdata(L, 1))->owner;
    wm_buffer value = borrow(owner);
    const char *error = NULL;
    if (wm_lua_encode(L, 3, &value, &error) < 0) {
        lua_pushnil(L);
        lua_pushstring(L, error);
        give_back(owner, &value);
        return 2;
    }
    if (owner->client == NULL) { /* a finalizer has closed it meanwhile */
        wm_buffer_close(&value);
        return luaL_error(L, "the client of this map is closed");
    }
    uint8_t *place = wm_map_begin_set(m, key, len, value.len);
    double seq = place ? 0 : wm_map_status(m);
    if (place != NULL) {
        memcpy(place, value.data, value.len);
        seq = wm_map_commit_set(m, value.len);
    }
    give_back(owner, &value);
    return push_seq(L, seq);
}

static int l_map_remove(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    return push_seq(L, wm_map_remove(m, key, len));
}

/* resend(key): the seq; nil and the reason. */
static int l_map_resend(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    return push_seq(L, wm_map_resend(m, key, len));
}

/* next_own(position): the next position and the key of a record that this client
 * wrote, removals included; nothing at the end. */
static int l_map_next_own(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t position = (size_t)luaL_checknumber(L, 2);
    wm_record record;
    do {
        position = wm_record_store_next(wm_map_store(m), position, &record);
        if (position == 0) return 0;
    } while (record.node != 0);
    lua_pushnumber(L, (lua_Number)position);
    lua_pushlstring(L, record.key, record.key_len);
    return 2;
}

static int push_value(lua_State *L, const uint8_t *bytes, size_t len)
{
    wm_mp_reader r;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_lua_decode(L, &r) < 0) lua_pushnil(L); /* an extension that Lua has no value for */
    return 1;
}

static int l_map_get(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    wm_record record;
    bool found = wm_record_store_get(wm_map_store(m), wm_hash_fnv1a(key, len), key, len, &record);
    if (!found || record.value == NULL) {
        lua_pushnil(L);
        return 1;
    }
    return push_value(L, record.value, record.value_len);
}

/* record(key): millis, counter, node id, and whether it is a tombstone; nothing
 * for an unknown key. */
static int l_map_record(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    map_slot *slot = lua_touserdata(L, 1);
    wm_record record;
    if (!wm_record_store_get(wm_map_store(m), wm_hash_fnv1a(key, len), key, len, &record)) return 0;
    lua_pushnumber(L, (lua_Number)record.millis);
    lua_pushnumber(L, (lua_Number)record.counter);
    lua_pushstring(L, wm_client_node_name(slot->owner->client, record.node));
    lua_pushboolean(L, record.value == NULL);
    return 4;
}

/* next(position): the next position, key and value; nothing at the end. */
static int l_map_next(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t position = (size_t)luaL_checknumber(L, 2);
    wm_record record;
    do {
        position = wm_record_store_next(wm_map_store(m), position, &record);
        if (position == 0) return 0;
    } while (record.value == NULL);
    lua_pushnumber(L, (lua_Number)position);
    lua_pushlstring(L, record.key, record.key_len);
    push_value(L, record.value, record.value_len);
    return 3;
}

static int l_map_size(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_record_store_size(wm_map_store(check_map(L))));
    return 1;
}

/* merge(key, value, millis, counter, node, tombstone): true when the local copy
 * changed, false when its record is newer; nil and the reason on failure. */
static int l_map_merge(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t key_len, node_len;
    const char *key = luaL_checklstring(L, 2, &key_len);
    lua_Number millis = luaL_checknumber(L, 4), counter = luaL_checknumber(L, 5);
    const char *node = luaL_checklstring(L, 6, &node_len);
    bool tombstone = lua_toboolean(L, 7);
    if (!(millis >= 0 && millis < 9007199254740992.0) || !(counter >= 0 && counter < 4294967296.0)) {
        lua_pushnil(L);
        lua_pushliteral(L, "a timestamp that is not one");
        return 2;
    }
    wm_timestamp time = {(uint64_t)millis, (uint64_t)counter, node, node_len};
    client_slot *owner = ((map_slot *)lua_touserdata(L, 1))->owner;
    wm_buffer value = borrow(owner);
    const char *error = NULL;
    int result = tombstone ? 0 : wm_lua_encode(L, 3, &value, &error);
    if (owner->client == NULL) {
        wm_buffer_close(&value);
        return luaL_error(L, "the client of this map is closed");
    }
    if (result >= 0) {
        result = wm_map_merge(m, key, key_len, tombstone ? NULL : value.data, value.len, &time);
        if (result < 0) error = status_text(result);
    }
    give_back(owner, &value);
    if (result >= 0) {
        lua_pushboolean(L, result == 0);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int l_map_forget(lua_State *L)
{
    wm_map *m = check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    lua_pushboolean(L, wm_map_forget(m, key, len) == 0);
    return 1;
}

static int l_map_allocations(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_map_allocations(check_map(L)));
    return 1;
}

static int l_choose_map(lua_State *L)
{
    lua_pushboolean(L, wm_client_choose_map(check_client(L)));
    return 1;
}

void wm_lua_open_client(lua_State *L)
{
    static const luaL_Reg client_methods[] = {
        {"close", l_close},
        {"add_node", l_add_node},
        {"set_node_id", l_set_node_id},
        {"lane_of", l_lane_of},
        {"slot_of", l_slot_of},
        {"connect", l_connect},
        {"disconnect", l_disconnect},
        {"authenticate", l_authenticate},
        {"send", l_send},
        {"use_lane", l_use_lane},
        {"lane_info", l_lane_info},
        {"node_stats", l_node_stats},
        {"set_route", l_set_route},
        {"route", l_route},
        {"pointer", l_pointer},
        {"slot_of_key", l_slot_of_key},
        {"set_hash", l_set_hash},
        {"partition_of", l_partition_of},
        {"partition_count", l_partition_count},
        {"partition_map", l_partition_map},
        {"choose_map", l_choose_map},
        {"map_version", l_map_version},
        {"version_of", l_version_of},
        {"routing_metrics", l_routing_metrics},
        {"reset_routing_metrics", l_reset_routing_metrics},
        {"flush", l_flush},
        {"pending", l_pending},
        {"operations", l_operations},
        {"notify", l_notify},
        {"foreign_take", l_foreign_take},
        {"foreign_ack", l_foreign_ack},
        {"foreign_release", l_foreign_release},
        {"next_event", l_next_event},
        {"stats", l_stats},
        {"distributions", l_distributions},
        {"map", l_map},
        {NULL, NULL},
    };
    static const luaL_Reg map_methods[] = {
        {"pointer", l_map_pointer},
        {"set", l_map_set},
        {"remove", l_map_remove},
        {"resend", l_map_resend},
        {"next_own", l_map_next_own},
        {"get", l_map_get},
        {"record", l_map_record},
        {"next", l_map_next},
        {"size", l_map_size},
        {"merge", l_map_merge},
        {"forget", l_map_forget},
        {"allocations", l_map_allocations},
        {NULL, NULL},
    };
    luaL_newmetatable(L, CLIENT);
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, client_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    luaL_newmetatable(L, MAP);
    lua_newtable(L);
    luaL_register(L, NULL, map_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    lua_pushcfunction(L, l_client);
    lua_setfield(L, -2, "client");
}
