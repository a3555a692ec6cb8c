#include "binding/client/client_userdata.h"

#include "base/status.h"

/* A larger scratch buffer is not kept. */
#define SCRATCH_KEPT (1 << 20)

wm_client *wm_lua_check_client(lua_State *L)
{
    client_slot *slot = luaL_checkudata(L, 1, WM_LUA_CLIENT);
    if (slot->client == NULL) luaL_error(L, "the client is closed");
    return slot->client;
}

wm_buffer wm_lua_borrow(client_slot *slot)
{
    wm_buffer b = slot->scratch;
    wm_buffer_init(&slot->scratch);
    b.len = 0;
    return b;
}

void wm_lua_give_back(client_slot *slot, wm_buffer *b)
{
    if (slot->client == NULL || slot->scratch.data != NULL || b->failed || b->cap > SCRATCH_KEPT) wm_buffer_close(b);
    else slot->scratch = *b;
}

int wm_lua_check_node(lua_State *L, wm_client *c, int index)
{
    lua_Integer node_index = luaL_checkinteger(L, index);
    if (node_index < 0 || node_index >= (lua_Integer)wm_node_pool_count(wm_client_pool(c)))
        luaL_argerror(L, index, "no such node");
    return (int)node_index;
}

int wm_lua_check_connection(lua_State *L, wm_client *c, int index)
{
    lua_Integer connection = luaL_checkinteger(L, index);
    if (connection < 0 || connection >= (lua_Integer)wm_node_pool_connections(wm_client_pool(c)))
        luaL_argerror(L, index, "no such connection");
    return (int)connection;
}

uint64_t wm_lua_check_whole(lua_State *L, int index)
{
    lua_Number n = luaL_checknumber(L, index);
    if (!(n >= 0 && n <= 9007199254740992.0)) luaL_argerror(L, index, "a number from 0 to 2^53 is expected");
    return (uint64_t)n;
}

void wm_lua_set_number(lua_State *L, const char *name, lua_Number n)
{
    lua_pushnumber(L, n);
    lua_setfield(L, -2, name);
}

int wm_lua_push_result(lua_State *L, int status)
{
    if (status >= 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, wm_status_text(status));
    return 2;
}
