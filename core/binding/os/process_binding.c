/* wingman.core.process(...): a child process; used by lua/wingman/loop/process.lua. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binding/os/loop_userdata.h"
#include "binding/values/binding.h"
#include "binding/values/userdata.h"
#include "os/process.h"

/* `loop` is the slot of the loop's userdata, which the environment of this one
 * keeps alive; it holds NULL once the loop was closed. */
typedef struct process_userdata {
    wm_process *process;
    wm_loop **loop;
} process_userdata;

static wm_process *check_process(lua_State *L)
{
    process_userdata *self = luaL_checkudata(L, 1, "wingman.process");
    if (self->process == NULL) luaL_argerror(L, 1, "the process is closed");
    if (*self->loop == NULL) luaL_argerror(L, 1, "its loop is closed");
    return self->process;
}

static wm_process_stream check_stream(lua_State *L, int index)
{
    static const char *const names[] = {"stdout", "stderr", NULL};
    return luaL_checkoption(L, index, "stdout", names);
}

static int fail(lua_State *L, int err)
{
    lua_pushnil(L);
    lua_pushstring(L, uv_strerror(err));
    return 2;
}

static int done(lua_State *L, int err)
{
    if (err != 0) return fail(L, err);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_pid(lua_State *L)
{
    lua_pushinteger(L, wm_process_pid(check_process(L)));
    return 1;
}

static int l_changes(lua_State *L)
{
    lua_pushnumber(L, wm_process_changes(check_process(L)));
    return 1;
}

static int l_kill(lua_State *L)
{
    return done(L, wm_process_kill(check_process(L), (int)luaL_checkinteger(L, 2)));
}

/* code, signal; nil while it runs. */
static int l_exit_status(lua_State *L)
{
    int code, signal_number;
    if (!wm_process_exited(check_process(L), &code, &signal_number)) return 0;
    lua_pushinteger(L, code);
    lua_pushinteger(L, signal_number);
    return 2;
}

static int l_write(lua_State *L)
{
    wm_process *p = check_process(L);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    return done(L, wm_process_write(p, bytes, len));
}

static int l_unwritten(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_process_unwritten(check_process(L)));
    return 1;
}

static int l_close_stdin(lua_State *L)
{
    wm_process_close_stdin(check_process(L));
    return 0;
}

/* A line without its end; at the end of the output also a last one that has
 * none. nil when there is none yet; nil, true when there will be none; nil,
 * false when no line fits into the buffer. */
static int l_read_line(lua_State *L)
{
    wm_process *p = check_process(L);
    wm_process_stream stream = check_stream(L, 2);
    size_t len;
    const char *bytes = wm_process_output(p, stream, &len);
    const char *end = memchr(bytes, '\n', len);
    if (end != NULL || (len > 0 && wm_process_ended(p, stream))) {
        size_t line = end ? (size_t)(end - bytes) : len;
        lua_pushlstring(L, bytes, line);
        wm_process_consume(p, stream, end ? line + 1 : line);
        return 1;
    }
    lua_pushnil(L);
    if (len < WM_PROCESS_OUTPUT_MAX && !wm_process_ended(p, stream)) return 1;
    lua_pushboolean(L, len == 0);
    return 2;
}

/* What is there, and whether that is the end of it. */
static int l_read(lua_State *L)
{
    wm_process *p = check_process(L);
    wm_process_stream stream = check_stream(L, 2);
    size_t len;
    const char *bytes = wm_process_output(p, stream, &len);
    lua_pushlstring(L, bytes, len);
    wm_process_consume(p, stream, len);
    lua_pushboolean(L, wm_process_ended(p, stream));
    return 2;
}

static int l_close(lua_State *L)
{
    process_userdata *self = luaL_checkudata(L, 1, "wingman.process");
    wm_process *p = self->process;
    self->process = NULL;
    if (p != NULL) wm_process_free(p, *self->loop == NULL);
    return 0;
}

/* The strings of the list at `index`, as an array that ends with NULL; `first`
 * goes in front when it is not NULL. Lives on the stack as userdata. */
static const char **push_strings(lua_State *L, int index, const char *first)
{
    luaL_checktype(L, index, LUA_TTABLE);
    size_t count = lua_objlen(L, index);
    const char **strings = lua_newuserdata(L, (count + 2) * sizeof *strings);
    size_t n = 0;
    if (first != NULL) strings[n++] = first;
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, index, (int)i);
        if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, index, "a list of strings is expected");
        strings[n++] = lua_tostring(L, -1);
        lua_pop(L, 1); /* the list keeps it alive */
    }
    strings[n] = NULL;
    return strings;
}

/* process(loop, file, args, env or nil, cwd or nil, pipe_stdin, capture_stderr,
 * own_session)
 * -> process, or nil, error. */
static int l_process(lua_State *L)
{
    wm_loop *loop = wm_lua_check_loop(L, 1);
    wm_process_options options = {.file = luaL_checkstring(L, 2), .cwd = luaL_optstring(L, 5, NULL)};
    options.pipe_stdin = lua_toboolean(L, 6);
    options.capture_stderr = lua_toboolean(L, 7);
    options.own_session = lua_toboolean(L, 8);
    options.args = (char *const *)push_strings(L, 3, options.file);
    if (!lua_isnoneornil(L, 4)) options.env = push_strings(L, 4, NULL);

    process_userdata *self = lua_newuserdata(L, sizeof *self);
    *self = (process_userdata){.loop = lua_touserdata(L, 1)};
    luaL_getmetatable(L, "wingman.process");
    lua_setmetatable(L, -2);
    wm_lua_keep(L, 1); /* the loop lives at least as long */
    int err = wm_process_spawn(loop, &options, &self->process);
    return err == 0 ? 1 : fail(L, err);
}

static int l_process_id(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

void wm_lua_open_process(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"pid", l_pid},
        {"changes", l_changes},
        {"kill", l_kill},
        {"exit_status", l_exit_status},
        {"write", l_write},
        {"unwritten", l_unwritten},
        {"close_stdin", l_close_stdin},
        {"read_line", l_read_line},
        {"read", l_read},
        {"close", l_close},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"process", l_process},
        {"process_id", l_process_id},
        {NULL, NULL},
    };
    wm_lua_new_class(L, "wingman.process", (const luaL_Reg *const[]){methods, NULL}, l_close);
    luaL_register(L, NULL, functions);
}
