/* wingman.core.jwt_sign, jwt_verify. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/jwt.h"
#include "binding/values/binding.h"

/* The C functions end a text at its first NUL; such a text is refused here. */
static const char *check_text(lua_State *L, int index, size_t *len)
{
    luaL_checktype(L, index, LUA_TSTRING);
    const char *text = lua_tolstring(L, index, len);
    luaL_argcheck(L, strlen(text) == *len, index, "a string without NUL");
    return text;
}

static int l_jwt_sign(lua_State *L)
{
    size_t payload_len, secret_len;
    const char *payload = check_text(L, 1, &payload_len);
    const char *secret = check_text(L, 2, &secret_len);
    size_t size = payload_len / 3 * 4 + 128;
    char *token = lua_newuserdata(L, size);
    size_t len = wm_jwt_sign(payload, secret, token, size);
    luaL_argcheck(L, len > 0, 1, "the payload is too large");
    lua_pushlstring(L, token, len);
    return 1;
}

static int l_jwt_verify(lua_State *L)
{
    size_t len, secret_len;
    luaL_checktype(L, 1, LUA_TSTRING);
    const char *token = lua_tolstring(L, 1, &len);
    const char *secret = check_text(L, 2, &secret_len);
    lua_Number now_s = luaL_checknumber(L, 3);
    luaL_argcheck(L, fabs(now_s) <= 9007199254740992.0, 3, "a time in Unix seconds");

    size_t size = len + 1;
    char *payload = lua_newuserdata(L, size);
    const char *reason = wm_jwt_verify(token, len, secret, (int64_t)floor(now_s), payload, size);
    if (reason != NULL) {
        lua_pushnil(L);
        lua_pushstring(L, reason);
        return 2;
    }
    lua_pushstring(L, payload);
    return 1;
}

void wm_lua_open_jwt(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"jwt_sign", l_jwt_sign},
        {"jwt_verify", l_jwt_verify},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
