/* wingman.core.oplog_inspect(path) and oplog_salvage(path, to): what is in an op log's file. */
#include <lauxlib.h>

#include "binding/values/binding.h"
#include "oplog/file/op_salvage.h"

static void set_number(lua_State *L, const char *name, uint64_t value)
{
    lua_pushnumber(L, (lua_Number)value);
    lua_setfield(L, -2, name);
}

/* One table for programs: names as in `wingman oplog inspect --json`. */
static void push_findings(lua_State *L, const wm_op_findings *f)
{
    lua_newtable(L);
    set_number(L, "format", WM_LOG_FORMAT);
    set_number(L, "bytes", f->file.bytes);
    set_number(L, "pending", f->counts.pending);
    set_number(L, "acknowledged", f->counts.acknowledged);
    set_number(L, "dead_letters", f->counts.letters);
    set_number(L, "parts", f->file.frames);
    lua_pushboolean(L, f->file.is_in_use);
    lua_setfield(L, -2, "in_use");
    lua_pushboolean(L, f->file.is_damaged);
    lua_setfield(L, -2, "damaged");
    if (f->client[0] != 0) {
        lua_pushstring(L, f->client);
        lua_setfield(L, -2, "client");
    }
    if (f->file.knows_last_commit) {
        set_number(L, "pending_written", f->written.pending);
        set_number(L, "acknowledged_written", f->written.acknowledged);
        set_number(L, "dead_letters_written", f->written.letters);
    }
    if (!f->file.is_damaged) return;
    set_number(L, "parts_missing", f->file.missing);
    lua_pushstring(L, f->file.damage);
    lua_setfield(L, -2, "damage");
}

/* The table; or nil, the reason and the name of the problem. */
static int push_outcome(lua_State *L, bool ok, const wm_op_findings *f, const wm_log_error *e)
{
    if (ok) {
        push_findings(L, f);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, e->text);
    lua_pushstring(L, wm_log_problem_name(e->problem));
    return 3;
}

static int l_inspect(lua_State *L)
{
    wm_op_findings findings;
    wm_log_error e;
    const char *path = luaL_checkstring(L, 1);
    return push_outcome(L, wm_op_inspect(path, &findings, &e), &findings, &e);
}

static int l_salvage(lua_State *L)
{
    wm_op_findings findings;
    wm_log_error e;
    const char *path = luaL_checkstring(L, 1), *to = luaL_checkstring(L, 2);
    return push_outcome(L, wm_op_salvage(path, to, &findings, &e), &findings, &e);
}

void wm_lua_open_oplog_file(lua_State *L)
{
    lua_pushcfunction(L, l_inspect);
    lua_setfield(L, -2, "oplog_inspect");
    lua_pushcfunction(L, l_salvage);
    lua_setfield(L, -2, "oplog_salvage");
}
