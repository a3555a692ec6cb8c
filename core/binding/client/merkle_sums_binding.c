/* wingman.core.merkle_item(kind, key, stamp), wingman.core.merkle_sums(rule, partitions). */
#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/status.h"
#include "binding/values/binding.h"
#include "binding/values/userdata.h"
#include "cluster/merkle_sums.h"

static wm_merkle_sums *check_sums(lua_State *L)
{
    return *(wm_merkle_sums **)luaL_checkudata(L, 1, "wingman.merkle_sums");
}

/* A whole number from 0 to `most`. */
static uint32_t check_u32(lua_State *L, int index, uint32_t most)
{
    lua_Number v = luaL_checknumber(L, index);
    luaL_argcheck(L, v >= 0 && v <= most && v == floor(v), index, "a whole number, within its limit");
    return (uint32_t)v;
}

static wm_hash_kind check_kind(lua_State *L, int index)
{
    static const char *const names[] = {"fnv1a", "xxh64", NULL};
    return luaL_checkoption(L, index, NULL, names) == 0 ? WM_HASH_FNV1A : WM_HASH_XXH64;
}

/* merkle_item(kind, key, stamp): `stamp` as "millis:counter:node". */
static int l_merkle_item(lua_State *L)
{
    wm_hash_kind kind = check_kind(L, 1);
    size_t len, stamp_len;
    wm_timestamp stamp;
    const char *key = luaL_checklstring(L, 2, &len), *text = luaL_checklstring(L, 3, &stamp_len);
    luaL_argcheck(L, wm_timestamp_parse(text, stamp_len, &stamp), 3, "millis:counter:node");
    lua_pushnumber(L, wm_merkle_item(kind, wm_hash(kind, key, len), key, len, &stamp));
    return 1;
}

static int l_add(lua_State *L)
{
    if (wm_merkle_sums_add(check_sums(L), check_u32(L, 2, UINT32_MAX), check_u32(L, 3, UINT32_MAX)) != WM_OK)
        luaL_error(L, "merkle_sums: out of memory");
    return 0;
}

static int l_remove(lua_State *L)
{
    wm_merkle_sums_remove(check_sums(L), check_u32(L, 2, UINT32_MAX), check_u32(L, 3, UINT32_MAX));
    return 0;
}

static int l_change(lua_State *L)
{
    wm_merkle_sums *s = check_sums(L);
    wm_merkle_sums_change(s, check_u32(L, 2, UINT32_MAX), check_u32(L, 3, UINT32_MAX), check_u32(L, 4, UINT32_MAX));
    return 0;
}

static int l_clear(lua_State *L)
{
    wm_merkle_sums_clear(check_sums(L));
    return 0;
}

static int l_root(lua_State *L)
{
    lua_pushnumber(L, wm_merkle_sums_root(check_sums(L)));
    return 1;
}

/* at(depth, digits) */
static int l_at(lua_State *L)
{
    wm_merkle_sums *s = check_sums(L);
    uint32_t depth = check_u32(L, 2, WM_MERKLE_DEPTH);
    lua_pushnumber(L, wm_merkle_sums_at(s, depth, check_u32(L, 3, (UINT32_C(1) << 4 * depth) - 1)));
    return 1;
}

static int l_bytes(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_merkle_sums_bytes(check_sums(L)));
    return 1;
}

static int l_collect(lua_State *L)
{
    wm_merkle_sums **slot = luaL_checkudata(L, 1, "wingman.merkle_sums");
    wm_merkle_sums_free(*slot);
    *slot = NULL;
    return 0;
}

/* merkle_sums("plain"|"mixed", partitions) */
static int l_merkle_sums(lua_State *L)
{
    static const char *const rules[] = {"plain", "mixed", NULL};
    wm_merkle_rule rule = luaL_checkoption(L, 1, NULL, rules) == 0 ? WM_MERKLE_PLAIN : WM_MERKLE_MIXED;
    uint32_t partitions = check_u32(L, 2, 65536);
    luaL_argcheck(L, partitions > 0, 2, "one partition at least");
    wm_merkle_sums **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, "wingman.merkle_sums");
    lua_setmetatable(L, -2);
    *slot = wm_merkle_sums_new(rule, partitions);
    return *slot != NULL ? 1 : luaL_error(L, "merkle_sums: out of memory");
}

void wm_lua_open_merkle_sums(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"add", l_add},
        {"remove", l_remove},
        {"change", l_change},
        {"clear", l_clear},
        {"root", l_root},
        {"at", l_at},
        {"bytes", l_bytes},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"merkle_item", l_merkle_item},
        {"merkle_sums", l_merkle_sums},
        {NULL, NULL},
    };
    const luaL_Reg *const lists[] = {methods, NULL};
    wm_lua_new_class(L, "wingman.merkle_sums", lists, l_collect);
    luaL_register(L, NULL, functions);
}
