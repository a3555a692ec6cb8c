/* Methods of a client: what is in its log, what has happened, how it went. */
#include <string.h>

#include "base/status.h"
#include "binding/client/client_userdata.h"
#include "binding/client/op_metrics_userdata.h"
#include "binding/values/histogram_userdata.h"

/* flush(all): what is due leaves; with true also what waits for company. */
static int l_flush(lua_State *L)
{
    wm_client_flush(wm_lua_check_client(L), lua_toboolean(L, 2));
    return 0;
}

/* true; or nil, why the log's file cannot be written, and the name of the problem. */
static int push_log_outcome(lua_State *L, wm_client *c, int result)
{
    if (result == WM_OK) {
        lua_pushboolean(L, true);
        return 1;
    }
    lua_pushnil(L);
    const wm_log_error *e = wm_oplog_error(wm_client_oplog(c));
    lua_pushstring(L, e->text);
    lua_pushstring(L, wm_log_problem_name(e->problem));
    return 3;
}

static int l_sync_log(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    return push_log_outcome(L, c, wm_client_sync_log(c));
}

static int l_finish_log(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    return push_log_outcome(L, c, wm_client_finish_log(c));
}

static int l_forward_acks(lua_State *L)
{
    wm_client_forward_acks(wm_lua_check_client(L), lua_toboolean(L, 2));
    return 0;
}

static int l_subscribed(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    return wm_lua_push_result(L, wm_client_subscribed(c, luaL_checkstring(L, 2)));
}

/* The id of the client in timestamps. */
static int l_client_id(lua_State *L)
{
    lua_pushstring(L, wm_client_node_name(wm_lua_check_client(L), 0));
    return 1;
}

/* Operations in the log, their bytes, held ones, the newest seq. */
static int l_pending(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    wm_oplog *log = wm_client_oplog(c);
    lua_pushnumber(L, wm_oplog_count(log));
    lua_pushnumber(L, (lua_Number)wm_oplog_bytes(log));
    lua_pushnumber(L, wm_batcher_held(wm_client_batcher(c)));
    lua_pushnumber(L, (lua_Number)wm_oplog_last_seq(log));
    return 4;
}

/* has_backlog(partitions, seq): whether operations up to `seq` are not settled in one
 * of the listed partitions; numbers outside the range of partitions are ignored. */
static int l_has_backlog(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    uint64_t seq = wm_lua_check_whole(L, 3);
    uint32_t count = wm_client_partition_count(c);
    bool *chosen = lua_newuserdata(L, count * sizeof *chosen);
    memset(chosen, 0, count * sizeof *chosen);
    for (int i = (int)lua_objlen(L, 2); i > 0; i--) {
        lua_rawgeti(L, 2, i);
        lua_Number partition = lua_tonumber(L, -1);
        lua_pop(L, 1);
        if (partition >= 0 && partition < count) chosen[(uint32_t)partition] = true;
    }
    lua_pushboolean(L, wm_batcher_has_backlog(wm_client_batcher(c), chosen, seq));
    return 1;
}

static void add_key(void *user, const wm_op *op)
{
    lua_State *L = user;
    lua_pushlstring(L, wm_op_key(op), op->key_len);
    lua_pushboolean(L, false);
    lua_rawset(L, -3);
}

/* newly_held(after): the keys of operations that are held since the last call and were recorded
 * after the seq `after`, as a table {[key] = false}; see wm_batcher_newly_held. */
static int l_newly_held(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    uint64_t after = wm_lua_check_whole(L, 2);
    lua_newtable(L);
    wm_batcher_newly_held(wm_client_batcher(c), after, add_key, L);
    return 1;
}

/* An operation's bytes in OP_BATCH. */
static void push_sent(lua_State *L, const wm_oplog *log, const wm_op *op)
{
    uint8_t *bytes = lua_newuserdata(L, op->len);
    wm_oplog_write(log, op, bytes);
    lua_pushlstring(L, (const char *)bytes, op->len);
    lua_remove(L, -2);
}

/* Operations in the log with a seq above `after`, in no order, as tables {seq, id, key,
 * partition, routed, in_flight, bytes}. For foreign providers and for reports, not for
 * the hot path. */
static int l_operations(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    uint64_t after = wm_lua_check_whole(L, 2);
    wm_oplog *log = wm_client_oplog(c);
    int n = 0;
    lua_newtable(L);
    for (uint32_t i = 1; i < wm_oplog_end(log); i++) {
        const wm_op *op = wm_oplog_at(log, i);
        if (op->state == WM_OP_FREE || op->seq <= after) continue;
        bool routed = op->state == WM_OP_IN_FLIGHT || wm_client_routes(c)->all[op->partition].connection != WM_NO_CONNECTION;
        lua_createtable(L, 0, 7);
        wm_lua_set_number(L, "seq", (lua_Number)op->seq);
        lua_pushlstring(L, wm_op_id(op), WM_OP_ID_LEN);
        lua_setfield(L, -2, "id");
        lua_pushlstring(L, wm_op_key(op), op->key_len);
        lua_setfield(L, -2, "key");
        wm_lua_set_number(L, "partition", op->partition);
        lua_pushboolean(L, routed);
        lua_setfield(L, -2, "routed");
        lua_pushboolean(L, op->state == WM_OP_IN_FLIGHT);
        lua_setfield(L, -2, "in_flight");
        push_sent(L, log, op);
        lua_setfield(L, -2, "bytes");
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int l_notify(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_pushboolean(L, wm_client_notify(c, wm_lua_check_whole(L, 2)));
    return 1;
}

static int l_foreign_take(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    client_slot *slot = lua_touserdata(L, 1);
    wm_buffer out = wm_lua_borrow(slot);
    int ops = wm_client_foreign_take(c, &out);
    if (ops > 0) lua_pushlstring(L, (const char *)out.data, out.len);
    else lua_pushnil(L);
    wm_lua_give_back(slot, &out);
    lua_pushinteger(L, ops);
    return 2;
}

static int l_foreign_ack(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    size_t len;
    const char *id = luaL_checklstring(L, 2, &len);
    lua_pushnumber(L, wm_client_foreign_ack(c, id, len));
    return 1;
}

static int l_foreign_release(lua_State *L)
{
    lua_pushnumber(L, wm_client_foreign_release(wm_lua_check_client(L)));
    return 1;
}

/* unverified(): acknowledged operations that are sent again soon, and "calm", "fresh" or
 * "changed"; see wm_client_unverified. */
static int l_unverified(lua_State *L)
{
    static const char *const names[] = {"calm", "fresh", "changed"};
    wm_membership_state state;
    lua_pushnumber(L, (lua_Number)wm_client_unverified(wm_lua_check_client(L), &state));
    lua_pushstring(L, names[state]);
    return 2;
}

/* give_up_unverified(): how many of them are counted as unverified now. */
static int l_give_up_unverified(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_client_give_up_unverified(wm_lua_check_client(L)));
    return 1;
}

static int l_stats(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    const wm_client_stats *s = wm_client_stats_of(c);
    lua_newtable(L);
    wm_lua_set_number(L, "ops_recorded", (lua_Number)s->ops_recorded);
    wm_lua_set_number(L, "ops_loaded", (lua_Number)s->ops_loaded);
    wm_lua_set_number(L, "ops_acked", (lua_Number)s->ops_acked);
    wm_lua_set_number(L, "ops_rejected", (lua_Number)s->ops_rejected);
    wm_lua_set_number(L, "ops_dropped", (lua_Number)s->ops_dropped);
    wm_lua_set_number(L, "ops_resent", (lua_Number)s->ops_resent);
    wm_lua_set_number(L, "ops_aside", wm_batcher_aside(wm_client_batcher(c)));
    wm_lua_set_number(L, "ops_repeated", (lua_Number)s->ops_repeated);
    wm_lua_set_number(L, "ops_unverified", (lua_Number)s->ops_unverified);
    wm_lua_set_number(L, "batches_sent", (lua_Number)s->batches_sent);
    wm_lua_set_number(L, "batches_acked", (lua_Number)s->batches_acked);
    wm_lua_set_number(L, "unmatched_acks", (lua_Number)s->unmatched_acks);
    wm_lua_set_number(L, "overloads", (lua_Number)s->overloads);
    wm_lua_set_number(L, "bytes_sent", (lua_Number)s->bytes_sent);
    wm_lua_set_number(L, "node_indexes", (lua_Number)wm_node_pool_count(wm_client_pool(c)));
    wm_lua_set_number(L, "messages_too_large", (lua_Number)s->messages_too_large);
    wm_lua_set_number(L, "log_footprint", (lua_Number)wm_oplog_footprint(wm_client_oplog(c)));
    return 1;
}

static void push_distribution(lua_State *L, const wm_histogram *h, lua_Number scale)
{
    static const struct {
        const char *name;
        double percentile;
    } points[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 99.9}};
    lua_newtable(L);
    wm_lua_set_number(L, "count", (lua_Number)wm_histogram_count(h));
    wm_lua_set_number(L, "min", (lua_Number)wm_histogram_min(h) * scale);
    wm_lua_set_number(L, "mean", wm_histogram_mean(h) * scale);
    wm_lua_set_number(L, "max", (lua_Number)wm_histogram_max(h) * scale);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        wm_lua_set_number(L, points[i].name, (lua_Number)wm_histogram_percentile(h, points[i].percentile) * scale);
}

/* Ack latency in seconds, batch sizes in operations: two tables with count, min,
 * mean, p50, p90, p99, p999, max. */
static int l_distributions(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    push_distribution(L, wm_client_ack_latency(c), 1e-6);
    push_distribution(L, wm_client_batch_sizes(c), 1);
    return 2;
}

/* measure(metrics): operations recorded from now on are measured there. */
static int l_measure(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    wm_op_metrics *m = wm_lua_check_op_metrics(L, 2);
    lua_getfenv(L, 1); /* the metrics must outlive the client */
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "metrics");
    return wm_lua_push_result(L, wm_client_measure(c, m));
}

/* Merges the distribution of batch sizes into a histogram. */
static int l_merge_batch_sizes(lua_State *L)
{
    wm_histogram_merge(wm_lua_check_histogram(L, 2), wm_client_batch_sizes(wm_lua_check_client(L)));
    return 0;
}

/* What was sent before is not of what is measured from now on. */
static int l_forget_batch_sizes(lua_State *L)
{
    wm_client_forget_batch_sizes(wm_lua_check_client(L));
    return 0;
}

const luaL_Reg wm_lua_client_log_methods[] = {
    {"measure", l_measure},
    {"merge_batch_sizes", l_merge_batch_sizes},
    {"forget_batch_sizes", l_forget_batch_sizes},
    {"flush", l_flush},
    {"forward_acks", l_forward_acks},
    {"subscribed", l_subscribed},
    {"sync_log", l_sync_log},
    {"finish_log", l_finish_log},
    {"client_id", l_client_id},
    {"pending", l_pending},
    {"has_backlog", l_has_backlog},
    {"newly_held", l_newly_held},
    {"operations", l_operations},
    {"notify", l_notify},
    {"foreign_take", l_foreign_take},
    {"foreign_ack", l_foreign_ack},
    {"foreign_release", l_foreign_release},
    {"unverified", l_unverified},
    {"give_up_unverified", l_give_up_unverified},
    {"stats", l_stats},
    {"distributions", l_distributions},
    {NULL, NULL},
};
