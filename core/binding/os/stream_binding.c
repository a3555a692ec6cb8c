/* wingman.core.listen, .connect: local sockets; used by lua/wingman/loop/stream.lua. */
#include <lauxlib.h>
#include <string.h>

#include "binding/os/loop_userdata.h"
#include "binding/values/binding.h"
#include "binding/values/userdata.h"
#include "os/stream.h"

#define READ_CHUNK (64u << 10)

/* As process_userdata: the environment keeps the loop, whose slot `loop` is, alive. */
typedef struct stream_userdata {
    wm_stream *stream;
    wm_loop **loop;
} stream_userdata;

static wm_stream *check_stream(lua_State *L)
{
    stream_userdata *self = luaL_checkudata(L, 1, "wingman.stream");
    if (self->stream == NULL) luaL_argerror(L, 1, "the stream is closed");
    if (*self->loop == NULL) luaL_argerror(L, 1, "its loop is closed");
    return self->stream;
}

/* nil, and why; nil alone for "not yet". */
static int fail(lua_State *L, int err)
{
    lua_pushnil(L);
    if (err == UV_EAGAIN) return 1;
    lua_pushstring(L, uv_strerror(err));
    return 2;
}

static stream_userdata *push_stream(lua_State *L, wm_loop **loop)
{
    stream_userdata *self = lua_newuserdata(L, sizeof *self);
    *self = (stream_userdata){.loop = loop};
    luaL_getmetatable(L, "wingman.stream");
    lua_setmetatable(L, -2);
    return self;
}

/* A stream that keeps the loop, which is the first argument. */
static stream_userdata *push_first(lua_State *L)
{
    stream_userdata *self = push_stream(L, lua_touserdata(L, 1));
    wm_lua_keep(L, 1);
    return self;
}

static wm_stream_address check_address(lua_State *L)
{
    wm_stream_address address = {.path = luaL_optstring(L, 2, NULL), .host = luaL_optstring(L, 3, "127.0.0.1")};
    lua_Integer port = luaL_optinteger(L, 4, 0);
    luaL_argcheck(L, port >= 0 && port <= 65535, 4, "a port is 0 to 65535");
    address.port = (uint16_t)port;
    return address;
}

/* listen(loop, path or nil, host, port, mode) -> stream, or nil, error. */
static int l_listen(lua_State *L)
{
    wm_loop *loop = wm_lua_check_loop(L, 1);
    wm_stream_address address = check_address(L);
    unsigned mode = (unsigned)luaL_optinteger(L, 5, 0600);
    stream_userdata *self = push_first(L);
    int err = wm_stream_listen(loop, &address, mode, &self->stream);
    return err == 0 ? 1 : fail(L, err);
}

/* connect(loop, path or nil, host, port) -> stream, or nil, error. */
static int l_connect(lua_State *L)
{
    wm_loop *loop = wm_lua_check_loop(L, 1);
    wm_stream_address address = check_address(L);
    stream_userdata *self = push_first(L);
    int err = wm_stream_connect(loop, &address, &self->stream);
    return err == 0 ? 1 : fail(L, err);
}

static int l_accept(lua_State *L)
{
    wm_stream *listener = check_stream(L);
    stream_userdata *self = lua_touserdata(L, 1);
    stream_userdata *accepted = push_stream(L, self->loop);
    lua_getfenv(L, 1); /* it keeps the loop, as the listener does */
    lua_setfenv(L, -2);
    int err = wm_stream_accept(listener, &accepted->stream);
    return err == 0 ? 1 : fail(L, err);
}

static int l_port(lua_State *L)
{
    lua_pushinteger(L, wm_stream_port(check_stream(L)));
    return 1;
}

/* What is there; "" at the end; nil when there is nothing yet; nil, error. */
static int l_read(lua_State *L)
{
    char bytes[READ_CHUNK];
    ptrdiff_t n = wm_stream_read(check_stream(L), bytes, sizeof bytes);
    if (n < 0) return fail(L, (int)n);
    lua_pushlstring(L, bytes, (size_t)n);
    return 1;
}

static int l_write(lua_State *L)
{
    wm_stream *s = check_stream(L);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    int err = wm_stream_write(s, bytes, len);
    if (err != 0) return fail(L, err);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_unwritten(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_stream_unwritten(check_stream(L)));
    return 1;
}

static int l_watch(lua_State *L)
{
    wm_stream_watch(check_stream(L));
    return 0;
}

static int l_changes(lua_State *L)
{
    lua_pushnumber(L, wm_stream_changes(check_stream(L)));
    return 1;
}

static int l_close(lua_State *L)
{
    stream_userdata *self = luaL_checkudata(L, 1, "wingman.stream");
    wm_stream *s = self->stream;
    self->stream = NULL;
    wm_stream_free(s, *self->loop == NULL);
    return 0;
}

void wm_lua_open_stream(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"accept", l_accept},
        {"port", l_port},
        {"read", l_read},
        {"write", l_write},
        {"unwritten", l_unwritten},
        {"watch", l_watch},
        {"changes", l_changes},
        {"close", l_close},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"listen", l_listen},
        {"connect", l_connect},
        {NULL, NULL},
    };
    wm_lua_new_class(L, "wingman.stream", (const luaL_Reg *const[]){methods, NULL}, l_close);
    luaL_register(L, NULL, functions);
}
