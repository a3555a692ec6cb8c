/* wingman.core.hash_fnv1a, hash_xxh64, partition. */
#include <lauxlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/value_hash.h"
#include "binding/values/binding.h"

/* A number would be hashed as its text, which is never what the caller means. */
static const char *check_key(lua_State *L, int index, size_t *len)
{
    luaL_checktype(L, index, LUA_TSTRING);
    return lua_tolstring(L, index, len);
}

static int l_hash_fnv1a(lua_State *L)
{
    size_t len;
    const char *key = check_key(L, 1, &len);
    lua_pushnumber(L, wm_hash_fnv1a(key, len));
    return 1;
}

/* hash_fnv1a_utf8(key): the same, and whether the key is valid UTF-8. */
static int l_hash_fnv1a_utf8(lua_State *L)
{
    size_t len;
    uint32_t hash;
    const char *key = check_key(L, 1, &len);
    bool valid = wm_hash_fnv1a_utf8(key, len, &hash);
    lua_pushnumber(L, hash);
    lua_pushboolean(L, valid);
    return 2;
}

static int l_hash_xxh64(lua_State *L)
{
    size_t len;
    const char *key = check_key(L, 1, &len);
    lua_pushnumber(L, wm_hash_xxh64(key, len));
    return 1;
}

static wm_hash_kind check_kind(lua_State *L, int index)
{
    const char *name = luaL_checkstring(L, index);
    if (strcmp(name, "fnv1a") == 0) return WM_HASH_FNV1A;
    if (strcmp(name, "xxh64") == 0) return WM_HASH_XXH64;
    luaL_argerror(L, index, "'fnv1a' or 'xxh64' expected");
    return WM_HASH_UNKNOWN;
}

static int l_partition(lua_State *L)
{
    wm_hash_kind kind = check_kind(L, 1);
    size_t len;
    const char *key = check_key(L, 2, &len);
    lua_Number count = luaL_checknumber(L, 3);
    luaL_argcheck(L, count >= 1 && count <= UINT32_MAX, 3, "a number of partitions, 1 at least");
    lua_pushnumber(L, wm_hash(kind, key, len) % (uint32_t)count);
    return 1;
}

/* value_hash(bytes): the hash of a MessagePack value as 8 bytes; nil where the bytes are not MessagePack. */
static int l_value_hash(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);
    uint64_t hash;
    if (!wm_value_hash((const uint8_t *)bytes, len, &hash)) return 0;
    lua_pushlstring(L, (const char *)&hash, sizeof hash);
    return 1;
}

void wm_lua_open_hash(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"hash_fnv1a", l_hash_fnv1a},
        {"hash_fnv1a_utf8", l_hash_fnv1a_utf8},
        {"hash_xxh64", l_hash_xxh64},
        {"partition", l_partition},
        {"value_hash", l_value_hash},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
