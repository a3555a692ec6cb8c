/* wingman.core.client(loop, options): the C client as a Lua object, its life and its
 * nodes. What waits, decides or calls back is Lua (lua/wingman/); here are numbers and
 * bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "binding/client/client_userdata.h"
#include "binding/os/loop_userdata.h"
#include "binding/values/binding.h"
#include "binding/values/userdata.h"

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
    wm_message_limits limits = {
#define X(name, option, field) .field = (size_t)number_option(L, option),
        WM_MESSAGE_LIMITS(X)
#undef X
    };
    wm_client_options o = {
        .client_id = string_option(L, "client_id"),
        .op_prefix = string_option(L, "op_prefix"),
        .transport =
            {
                .tls = {string_option(L, "ca_file"), string_option(L, "cert_file"), string_option(L, "key_file")},
                .tls_verify = boolean_option(L, "tls_verify"),
                .max_message = limits.bytes,
                .proxy = string_option(L, "proxy"),
                .connect_timeout_us = seconds_option(L, "connect_timeout"),
            },
        .pool =
            {
                .connections_per_node = (uint32_t)number_option(L, "connections_per_node"),
                .connection =
                    {
                        .heartbeat_us = seconds_option(L, "heartbeat_interval"),
                        .heartbeat_timeout_us = seconds_option(L, "heartbeat_timeout"),
                        .auth_timeout_us = seconds_option(L, "auth_timeout"),
                        .max_queued_bytes = (size_t)number_option(L, "max_queued_bytes"),
                    },
            },
        .messages = limits,
        .windowed_ops = (uint32_t)number_option(L, "windowed_ops"),
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
        .oplog_path = string_option(L, "oplog_path"),
        .oplog_sync = boolean_option(L, "oplog_sync"),
        .client_id_is_default = boolean_option(L, "client_id_is_default"),
        .max_tries = (uint8_t)number_option(L, "max_tries"),
        .drop_oldest = boolean_option(L, "drop_oldest"),
        .checks_map_names = boolean_option(L, "check_map_names"),
        .high_watermark = number_option(L, "high_watermark"),
        .low_watermark = number_option(L, "low_watermark"),
        .recent_ack_bytes = (size_t)number_option(L, "recent_ack_bytes"),
        .copy_records = (uint64_t)number_option(L, "copy_records"),
        .node_share = number_option(L, "node_share"),
    };
    if (o.client_id == NULL || o.op_prefix == NULL || strlen(o.op_prefix) != 8)
        return luaL_error(L, "client options client_id and op_prefix (8 characters) are needed");
    client_slot *slot = lua_newuserdata(L, sizeof *slot);
    slot->client = NULL;
    slot->event = NULL;
    wm_buffer_init(&slot->scratch);
    luaL_getmetatable(L, WM_LUA_CLIENT);
    lua_setmetatable(L, -2);
    lua_newtable(L); /* the loop must outlive the client */
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "loop");
    lua_setfenv(L, -2);
    char error[1024];
    wm_log_problem log_problem;
    slot->client = wm_client_new(loop, &o, &log_problem, error, sizeof error);
    if (slot->client != NULL) return 1;
    lua_pushnil(L);
    lua_pushstring(L, error);
    if (log_problem == WM_LOG_NONE) return 2;
    lua_pushstring(L, wm_log_problem_name(log_problem));
    return 3;
}

static int l_close(lua_State *L)
{
    client_slot *slot = luaL_checkudata(L, 1, WM_LUA_CLIENT);
    wm_client *c = slot->client;
    slot->client = NULL;
    wm_client_free(c);
    wm_lua_forget_event(slot);
    wm_buffer_close(&slot->scratch);
    wm_buffer_init(&slot->scratch);
    return 0;
}

/* -- nodes ------------------------------------------------------------------------------- */

/* add_node(url[, shown_url]): the node's index; nil and what is wrong. Dead letters name the node by
 * `shown_url` (default: `url`) until its id is known. */
static int l_add_node(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    const char *url = luaL_checkstring(L, 2);
    int node_index = wm_client_add_node(c, url, luaL_optstring(L, 3, url));
    if (node_index >= 0) {
        lua_pushinteger(L, node_index);
        return 1;
    }
    lua_pushnil(L);
    if (node_index == WM_EINVAL && strchr(url, '@') != NULL) lua_pushliteral(L, "a URL with a user in it is no URL of a node");
    else if (node_index == WM_EINVAL) lua_pushliteral(L, "it is no ws:// or wss:// URL");
    else lua_pushstring(L, wm_status_text(node_index));
    return 2;
}

/* Whether the node was forgotten; see wm_client_forget_node. */
static int l_forget_node(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_pushboolean(L, wm_client_forget_node(c, wm_lua_check_node(L, c, 2)) == WM_OK);
    return 1;
}

static int l_set_node_id(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    int node_index = wm_lua_check_node(L, c, 2);
    return wm_lua_push_result(L, wm_node_pool_set_id(wm_client_pool(c), node_index, luaL_checkstring(L, 3)));
}

static int l_connection_of(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    int node_index = wm_lua_check_node(L, c, 2);
    lua_pushinteger(L, wm_node_pool_connection_of(wm_client_pool(c), node_index, (uint32_t)wm_lua_check_whole(L, 3)));
    return 1;
}

static int l_listener_of(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_pushinteger(L, wm_node_pool_listener_of(wm_client_pool(c), wm_lua_check_node(L, c, 2)));
    return 1;
}

static int l_node_of(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_pushinteger(L, wm_node_pool_node_of(wm_client_pool(c), wm_lua_check_connection(L, c, 2)));
    return 1;
}

/* connect(connection[, addresses]): an array of numeric addresses of the node's host. */
static int l_connect(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    int connection = wm_lua_check_connection(L, c, 2);
    if (lua_isnoneornil(L, 3)) return wm_lua_push_result(L, wm_node_pool_connect(wm_client_pool(c), connection, NULL));
    wm_addresses addresses = {.count = 0};
    luaL_checktype(L, 3, LUA_TTABLE);
    int count = (int)lua_objlen(L, 3);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, 3, i);
        const char *text = lua_tostring(L, -1);
        if (text == NULL || !wm_addresses_add(&addresses, text))
            return luaL_error(L, "connect: '%s' is not an IPv4 or IPv6 address", text ? text : luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    luaL_argcheck(L, addresses.count > 0, 3, "at least one address is needed");
    return wm_lua_push_result(L, wm_node_pool_connect(wm_client_pool(c), connection, &addresses));
}

static int l_disconnect(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    wm_client_disconnect(c, wm_lua_check_connection(L, c, 2), (int)(lua_isnoneornil(L, 3) ? 1000 : wm_lua_check_whole(L, 3)));
    return 0;
}

static int l_authenticate(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    int connection = wm_lua_check_connection(L, c, 2);
    size_t len;
    const char *token = luaL_checklstring(L, 3, &len);
    return wm_lua_push_result(L, wm_node_pool_authenticate(wm_client_pool(c), connection, token, len));
}

static int l_send(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    int connection = wm_lua_check_connection(L, c, 2);
    size_t len;
    const char *message = luaL_checklstring(L, 3, &len);
    return wm_lua_push_result(L, wm_node_pool_send(wm_client_pool(c), connection, (const uint8_t *)message, len));
}

static int l_connection_info(lua_State *L)
{
    static const char *const states[] = {"idle", "connecting", "authenticating", "ready"};
    wm_client *c = wm_lua_check_client(L);
    int connection = wm_lua_check_connection(L, c, 2);
    wm_connection_info info = wm_node_pool_connection(wm_client_pool(c), connection);
    wm_connection_load load = wm_batcher_load(wm_client_batcher(c), connection);
    lua_newtable(L);
    lua_pushstring(L, states[info.state]);
    lua_setfield(L, -2, "state");
    lua_pushstring(L, wm_dialect_name(info.dialect));
    lua_setfield(L, -2, "dialect");
    lua_pushstring(L, wm_release_name(info.release));
    lua_setfield(L, -2, "release");
    wm_lua_set_number(L, "rtt", (lua_Number)info.rtt_us / 1e6);
    wm_lua_set_number(L, "bytes_in", (lua_Number)info.bytes_in);
    wm_lua_set_number(L, "bytes_out", (lua_Number)info.bytes_out);
    wm_lua_set_number(L, "connects", info.connects);
    wm_lua_set_number(L, "pending_ops", load.pending_ops);
    wm_lua_set_number(L, "in_flight_batches", load.in_flight_batches);
    wm_lua_set_number(L, "in_flight_ops", load.in_flight_ops);
    uint64_t now = wm_now_us();
    bool waits = load.oldest_sent_us != 0 && now > load.oldest_sent_us &&
                 !wm_node_pool_is_behind(wm_client_pool(c), connection);
    wm_lua_set_number(L, "unanswered", waits ? (lua_Number)(now - load.oldest_sent_us) / 1e6 : 0);
    return 1;
}

static int l_node_stats(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    const wm_node_stats *s = wm_client_node_stats(c, wm_lua_check_node(L, c, 2));
    lua_newtable(L);
    wm_lua_set_number(L, "ops_sent", (lua_Number)s->ops_sent);
    wm_lua_set_number(L, "ops_acked", (lua_Number)s->ops_acked);
    wm_lua_set_number(L, "bytes_sent", (lua_Number)s->bytes_sent);
    wm_lua_set_number(L, "bytes_acked", (lua_Number)s->bytes_acked);
    wm_lua_set_number(L, "batches_sent", (lua_Number)s->batches_sent);
    return 1;
}

/* After an error message of a kind that the core does not know. */
static int l_refuse_batches(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_pushboolean(L, wm_client_refuse_batches(c, wm_lua_check_connection(L, c, 2)));
    return 1;
}

/* unread(): bytes that were received and not read, those that wait in the sockets included. */
static int l_unread(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_node_pool_unread(wm_client_pool(wm_lua_check_client(L))));
    return 1;
}

static int l_trace(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    wm_client_trace(c, lua_toboolean(L, 2));
    return 0;
}

/* fix_windows(operations of a batch, in flight): see wm_client_fix_windows. */
static int l_fix_windows(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    wm_client_fix_windows(c, (uint32_t)luaL_checkinteger(L, 2), (uint32_t)luaL_checkinteger(L, 3));
    return 0;
}

static int l_use_connection(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    wm_client_use_connection(c, wm_lua_check_connection(L, c, 2));
    return 0;
}

/* -- registration ------------------------------------------------------------------------ */

void wm_lua_open_client(lua_State *L)
{
    static const luaL_Reg own[] = {
        {"close", l_close},
        {"add_node", l_add_node},
        {"forget_node", l_forget_node},
        {"set_node_id", l_set_node_id},
        {"connection_of", l_connection_of},
        {"listener_of", l_listener_of},
        {"node_of", l_node_of},
        {"connect", l_connect},
        {"disconnect", l_disconnect},
        {"authenticate", l_authenticate},
        {"send", l_send},
        {"use_connection", l_use_connection},
        {"unread", l_unread},
        {"trace", l_trace},
        {"fix_windows", l_fix_windows},
        {"refuse_batches", l_refuse_batches},
        {"connection_info", l_connection_info},
        {"node_stats", l_node_stats},
        {"map", wm_lua_push_map},
        {NULL, NULL},
    };
    const luaL_Reg *const client[] = {own, wm_lua_client_routing_methods, wm_lua_client_log_methods, wm_lua_client_event_methods,
                                      wm_lua_client_rejected_methods, wm_lua_client_replica_methods, NULL};
    const luaL_Reg *const map[] = {wm_lua_map_methods, wm_lua_replica_methods, NULL};
    wm_lua_new_class(L, WM_LUA_CLIENT, client, l_close);
    wm_lua_new_class(L, WM_LUA_MAP, map, NULL);
    lua_pushcfunction(L, l_client);
    lua_setfield(L, -2, "client");
    lua_pushcfunction(L, wm_lua_v2_stores_map);
    lua_setfield(L, -2, "v2_stores_map");
}
