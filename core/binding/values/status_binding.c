/* wingman.core.statuses: the list of base/status.h. */
#include "base/status.h"
#include "binding/values/binding.h"

static void set_text(lua_State *L, const char *field, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

/* The table of all stands on top. */
static void add_status(lua_State *L, int number, const char *name, const char *code, const char *text)
{
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, number);
    lua_setfield(L, -2, "number");
    set_text(L, "name", name);
    set_text(L, "code", code);
    set_text(L, "text", text);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, number);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, text);
    lua_setfield(L, -2, name);
}

/* statuses: {number, name, code, text} of each, under its number, its name and its text. */
void wm_lua_open_status(lua_State *L)
{
    lua_newtable(L);
#define X(name, number, code, text) add_status(L, number, #name, code, text);
    WM_STATUSES(X)
#undef X
    lua_setfield(L, -2, "statuses");
}
