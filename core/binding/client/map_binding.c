/* A map of the C client as a Lua object. */
#include <string.h>

#include "base/status.h"
#include "base/value_hash.h"
#include "binding/client/client_userdata.h"
#include "binding/values/codec.h"
#include "wire/family_rules.h"

wm_map *wm_lua_check_map(lua_State *L)
{
    map_slot *slot = luaL_checkudata(L, 1, WM_LUA_MAP);
    if (slot->owner->client == NULL) luaL_error(L, "the client of this map is closed");
    return slot->map;
}

int wm_lua_push_map(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    wm_map *map = wm_client_map(c, name, len);
    if (map == NULL) return luaL_error(L, "map '%s': out of memory", name);
    map_slot *slot = lua_newuserdata(L, sizeof *slot);
    slot->map = map;
    slot->owner = lua_touserdata(L, 1);
    luaL_getmetatable(L, WM_LUA_MAP);
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
    lua_pushlightuserdata(L, wm_lua_check_map(L));
    return 1;
}

static int push_seq(lua_State *L, double seq)
{
    if (seq >= 0) {
        lua_pushnumber(L, seq);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, wm_status_text((int)seq));
    return 2;
}

/* set(key, value): the general way, for any value that can be encoded; its seq, or nil and
 * a status as text, or the codec's reason. "integer beyond 2^53" has the place behind it. */
static int l_map_set(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    luaL_checkany(L, 3);
    client_slot *owner = ((map_slot *)lua_touserdata(L, 1))->owner;
    wm_buffer value = wm_lua_borrow(owner);
    const char *error = NULL;
    if (wm_lua_encode_map_value(L, 3, &value, &error) < 0) {
        lua_pushnil(L);
        lua_pushstring(L, error);
        wm_lua_give_back(owner, &value);
        return 2;
    }
    if (owner->client == NULL) { /* a finalizer has closed it meanwhile */
        wm_buffer_close(&value);
        return luaL_error(L, "the client of this map is closed");
    }
    char path[128];
    int status = wm_map_check_value(m, value.data, value.len, path, sizeof path);
    if (status < 0) {
        wm_lua_give_back(owner, &value);
        push_seq(L, status);
        lua_pushstring(L, path);
        return 3;
    }
    /* Before it is known whether there is room: to wait for that would be in vain. */
    double seq = wm_map_check_size(m, len, value.len);
    uint8_t *place = seq < 0 ? NULL : wm_map_begin_set(m, key, len, value.len);
    if (seq >= 0 && place == NULL) seq = wm_map_status(m);
    if (place != NULL) {
        memcpy(place, value.data, value.len);
        seq = wm_map_commit_set(m, value.len);
    }
    wm_lua_give_back(owner, &value);
    return push_seq(L, seq);
}

static int l_map_remove(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    return push_seq(L, wm_map_remove(m, key, len));
}

/* resend(key): the seq; nil and the reason. */
static int l_map_resend(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    return push_seq(L, wm_map_resend(m, key, len));
}

/* is_indoubt(key, value as MessagePack) */
static int l_map_is_indoubt(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    size_t key_len, len;
    const char *key = luaL_checklstring(L, 2, &key_len);
    const char *value = luaL_checklstring(L, 3, &len);
    lua_pushboolean(L, wm_map_is_indoubt(m, key, key_len, (const uint8_t *)value, len));
    return 1;
}

/* next_own(position): the next position and the key of a record that this client wrote, removals included,
 * and of which no other value is known; nothing at the end. */
static int l_map_next_own(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    wm_record record;
    size_t position = wm_map_next_own(m, (size_t)wm_lua_check_whole(L, 2), &record);
    if (position == 0) return 0;
    lua_pushnumber(L, (lua_Number)position);
    lua_pushlstring(L, record.key, record.key_len);
    return 2;
}

/* hear(): see wm_map_hear. True; nil and the reason. */
static int l_map_hear(lua_State *L)
{
    return wm_lua_push_result(L, wm_map_hear(wm_lua_check_map(L)));
}

int wm_lua_push_map_value(lua_State *L, const uint8_t *bytes, size_t len)
{
    wm_mp_reader r;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_lua_decode(L, &r) < 0) lua_pushnil(L); /* an extension that Lua has no value for */
    return 1;
}

static int l_map_get(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    wm_record record;
    bool found = wm_map_get(m, key, len, &record);
    if (!found || record.value == NULL) {
        lua_pushnil(L);
        return 1;
    }
    return wm_lua_push_map_value(L, record.value, record.value_len);
}

/* value_hash(key): of the value that is shown, by its meaning (base/value_hash.h), as a number; false without one. */
static int l_map_value_hash(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    wm_record record;
    uint64_t hash;
    bool has_value = wm_map_get(m, key, len, &record) && record.value != NULL && wm_value_hash(record.value, record.value_len, &hash);
    if (has_value) lua_pushnumber(L, (lua_Number)(hash >> 11)); /* a number has 53 bits */
    else lua_pushboolean(L, false);
    return 1;
}

/* encoded(key): the value's MessagePack as it is stored, for comparing byte by byte; nil when there is none. */
static int l_map_encoded(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    wm_record record;
    if (!wm_map_get(m, key, len, &record) || record.value == NULL) return 0;
    lua_pushlstring(L, (const char *)record.value, record.value_len);
    return 1;
}

/* record(key): millis, counter, node id, whether it is a tombstone, its state, and the id of the node that holds it or nil;
 * nothing for an unknown key. */
static int l_map_record(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    wm_client *c = ((map_slot *)lua_touserdata(L, 1))->owner->client;
    wm_record record;
    wm_record_state state;
    int holder;
    if (!wm_map_look(m, key, len, &record, &state, &holder)) return 0;
    lua_pushnumber(L, (lua_Number)record.millis);
    lua_pushnumber(L, (lua_Number)record.counter);
    lua_pushstring(L, wm_client_node_name(c, record.node));
    lua_pushboolean(L, record.value == NULL);
    lua_pushstring(L, wm_record_state_name(state));
    const char *id = holder >= 0 ? wm_node_pool_id(wm_client_pool(c), holder) : "";
    if (id[0] != 0) lua_pushstring(L, id);
    else lua_pushnil(L);
    return 6;
}

/* next(position): the next position, key and value; nothing at the end. */
static int l_map_next(lua_State *L)
{
    wm_map *m = wm_lua_check_map(L);
    uint64_t position = wm_lua_check_whole(L, 2);
    wm_record record;
    do {
        position = wm_map_next(m, position, &record);
        if (position == 0) return 0;
    } while (record.value == NULL);
    lua_pushnumber(L, (lua_Number)position);
    lua_pushlstring(L, record.key, record.key_len);
    wm_lua_push_map_value(L, record.value, record.value_len);
    return 3;
}

static int l_map_size(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_map_size(wm_lua_check_map(L)));
    return 1;
}

static int l_map_bytes(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_map_record_bytes(wm_lua_check_map(L)));
    return 1;
}

/* size_limit(): bytes that key and value of a record may have, and had when the last write
 * was refused for its size. */
static int l_map_size_limit(lua_State *L)
{
    const wm_map *m = wm_lua_check_map(L);
    lua_pushnumber(L, (lua_Number)wm_map_record_max(m));
    lua_pushnumber(L, (lua_Number)wm_map_refused_bytes(m));
    return 2;
}

/* v2_stores_map(name): see family_rules.h. A function of the module, not of a map. */
int wm_lua_v2_stores_map(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    lua_pushboolean(L, wm_v2_stores_map(name, len));
    return 1;
}

const luaL_Reg wm_lua_map_methods[] = {
    {"pointer", l_map_pointer},
    {"set", l_map_set},
    {"remove", l_map_remove},
    {"resend", l_map_resend},
    {"is_indoubt", l_map_is_indoubt},
    {"next_own", l_map_next_own},
    {"hear", l_map_hear},
    {"get", l_map_get},
    {"encoded", l_map_encoded},
    {"record", l_map_record},
    {"value_hash", l_map_value_hash},
    {"next", l_map_next},
    {"size", l_map_size},
    {"bytes", l_map_bytes},
    {"size_limit", l_map_size_limit},
    {NULL, NULL},
};
