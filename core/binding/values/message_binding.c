/* wingman.core.parse_message and unbatch: whole frames, for tools and specs. The client
 * reads its frames in C. The list of message types, and what the words of a refusal mean. */
#include <lauxlib.h>

#include "binding/values/binding.h"
#include "wire/message.h"
#include "wire/refusal.h"

static const char *check_frame(lua_State *L, size_t *len)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    return lua_tolstring(L, 1, len);
}

static int push_error(lua_State *L, int code)
{
    lua_pushnil(L);
    lua_pushstring(L, wm_message_error_text(code));
    return 2;
}

/* type, and where the payload starts and how long it is: nil without one. */
static int l_parse_message(lua_State *L)
{
    size_t len;
    const char *frame = check_frame(L, &len);
    wm_message m;
    int rc = wm_message_parse(frame, len, &m);
    if (rc < 0) return push_error(L, rc);
    lua_pushlstring(L, m.type_name, m.type_name_len);
    if (m.payload == NULL) return 1;
    lua_pushnumber(L, (lua_Number)((const char *)m.payload - frame) + 1);
    lua_pushnumber(L, (lua_Number)m.payload_len);
    return 3;
}

/* The list is on top of the stack; a raised error unwinds nothing that needs
 * freeing. */
static int append_frame(void *user, const uint8_t *frame, size_t len)
{
    lua_State *L = user;
    lua_pushlstring(L, (const char *)frame, len);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    return 0;
}

static int l_unbatch(lua_State *L)
{
    size_t len;
    const char *frame = check_frame(L, &len);
    lua_newtable(L);
    int rc = wm_message_unbatch(frame, len, append_frame, L);
    return rc < 0 ? push_error(L, rc) : 1;
}

/* is_refused_for_good(status, words): whether a server says by them that it never takes the
 * write. */
static int l_is_refused_for_good(lua_State *L)
{
    size_t len;
    lua_Number status = luaL_checknumber(L, 1);
    const char *words = luaL_checklstring(L, 2, &len);
    wm_refusal_kind kind = wm_refusal_of(status > 0 && status < 1e9 ? (uint64_t)status : 0, words, len).kind;
    lua_pushboolean(L, kind == WM_REFUSAL_MAP || kind == WM_REFUSAL_IN_MAP || kind == WM_REFUSAL_WRITE);
    return 1;
}

/* message_types: the names of all types that Wingman knows, each with true. */
static void add_types(lua_State *L)
{
    lua_newtable(L);
    for (int type = WM_TYPE_OTHER + 1; type < WM_MESSAGE_TYPE_COUNT; type++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, wm_message_type_name((wm_message_type)type));
    }
    lua_setfield(L, -2, "message_types");
}

void wm_lua_open_message(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"parse_message", l_parse_message},
        {"unbatch", l_unbatch},
        {"is_refused_for_good", l_is_refused_for_good},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
    add_types(L);
}
