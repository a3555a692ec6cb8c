/* wingman.core.histogram(max, digits). */
#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "histogram.h"

/* Beyond 2^53 a Lua number does not count in ones. */
#define MAX_WHOLE 9007199254740992.0

static wm_histogram *check_histogram(lua_State *L, int index)
{
    wm_histogram **slot = luaL_checkudata(L, index, "wingman.histogram");
    if (*slot == NULL) luaL_argerror(L, index, "the histogram is closed");
    return *slot;
}

/* A time may come as a fraction of a microsecond; the whole part is kept. */
static uint64_t check_whole(lua_State *L, int index)
{
    lua_Number v = luaL_checknumber(L, index);
    luaL_argcheck(L, v >= 0 && v <= MAX_WHOLE, index, "a number between 0 and 2^53");
    return (uint64_t)v;
}

static int l_record(lua_State *L)
{
    wm_histogram_record(check_histogram(L, 1), check_whole(L, 2));
    return 0;
}

static int l_record_n(lua_State *L)
{
    wm_histogram *h = check_histogram(L, 1);
    uint64_t value = check_whole(L, 2);
    wm_histogram_record_n(h, value, check_whole(L, 3));
    return 0;
}

static int l_merge(lua_State *L)
{
    wm_histogram *into = check_histogram(L, 1);
    const wm_histogram *from = check_histogram(L, 2);
    luaL_argcheck(L, into != from, 2, "a histogram cannot be merged into itself");
    wm_histogram_merge(into, from);
    return 0;
}

static int l_reset(lua_State *L)
{
    wm_histogram_reset(check_histogram(L, 1));
    return 0;
}

static int l_count(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_histogram_count(check_histogram(L, 1)));
    return 1;
}

static int l_overflows(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_histogram_overflows(check_histogram(L, 1)));
    return 1;
}

static int l_min(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_histogram_min(check_histogram(L, 1)));
    return 1;
}

static int l_max(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_histogram_max(check_histogram(L, 1)));
    return 1;
}

static int l_mean(lua_State *L)
{
    lua_pushnumber(L, wm_histogram_mean(check_histogram(L, 1)));
    return 1;
}

static int l_stddev(lua_State *L)
{
    lua_pushnumber(L, wm_histogram_stddev(check_histogram(L, 1)));
    return 1;
}

static int l_percentile(lua_State *L)
{
    wm_histogram *h = check_histogram(L, 1);
    lua_Number percentile = luaL_checknumber(L, 2);
    luaL_argcheck(L, percentile >= 0 && percentile <= 100, 2, "a percentile between 0 and 100");
    lua_pushnumber(L, (lua_Number)wm_histogram_percentile(h, percentile));
    return 1;
}

static int l_text_gc(lua_State *L)
{
    char **text = luaL_checkudata(L, 1, "wingman.text");
    free(*text);
    *text = NULL;
    return 0;
}

/* A stream into memory whose text Lua frees, whatever is raised meanwhile. */
static int push_hgrm(lua_State *L, const wm_histogram *h, int ticks, double scale)
{
    size_t len = 0;
    char **text = lua_newuserdata(L, sizeof *text);
    *text = NULL;
    luaL_getmetatable(L, "wingman.text");
    lua_setmetatable(L, -2);

    FILE *out = open_memstream(text, &len);
    if (out == NULL) return luaL_error(L, "hgrm: %s", strerror(errno));
    int rc = wm_histogram_write_hgrm(h, out, ticks, scale);
    if (fclose(out) != 0 || rc != 0) return luaL_error(L, "hgrm: out of memory");
    lua_pushlstring(L, *text, len);
    return 1;
}

static int save_hgrm(lua_State *L, const wm_histogram *h, const char *path, int ticks, double scale)
{
    FILE *out = fopen(path, "w");
    int rc = out ? wm_histogram_write_hgrm(h, out, ticks, scale) : -1;
    int saved = errno;
    if (out != NULL && fclose(out) != 0) {
        rc = -1;
        saved = errno;
    }
    if (rc == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(saved));
    return 2;
}

static int l_hgrm(lua_State *L)
{
    const wm_histogram *h = check_histogram(L, 1);
    const char *path = luaL_optstring(L, 2, NULL);
    lua_Number scale = luaL_optnumber(L, 3, 1);
    lua_Number ticks = luaL_optnumber(L, 4, 5);
    luaL_argcheck(L, scale > 0 && scale <= MAX_WHOLE, 3, "a number above 0");
    luaL_argcheck(L, ticks >= 1 && ticks <= 1000, 4, "a number of lines between 1 and 1000");
    return path ? save_hgrm(L, h, path, (int)ticks, scale) : push_hgrm(L, h, (int)ticks, scale);
}

static int l_close(lua_State *L)
{
    wm_histogram **slot = luaL_checkudata(L, 1, "wingman.histogram");
    wm_histogram *h = *slot;
    *slot = NULL;
    wm_histogram_free(h);
    return 0;
}

static int l_histogram(lua_State *L)
{
    lua_Number max = luaL_checknumber(L, 1);
    lua_Number digits = luaL_optnumber(L, 2, 3);
    luaL_argcheck(L, max >= 1 && max <= MAX_WHOLE, 1, "a largest value between 1 and 2^53");
    luaL_argcheck(L, digits >= 1 && digits <= 5, 2, "1 to 5 significant digits");
    wm_histogram **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, "wingman.histogram");
    lua_setmetatable(L, -2);
    *slot = wm_histogram_new((uint64_t)max, (int)digits);
    return *slot ? 1 : luaL_error(L, "histogram: out of memory");
}

void wm_lua_open_histogram(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"record", l_record},
        {"record_n", l_record_n},
        {"merge", l_merge},
        {"reset", l_reset},
        {"count", l_count},
        {"overflows", l_overflows},
        {"min", l_min},
        {"max", l_max},
        {"mean", l_mean},
        {"stddev", l_stddev},
        {"percentile", l_percentile},
        {"hgrm", l_hgrm},
        {"close", l_close},
        {NULL, NULL},
    };
    luaL_newmetatable(L, "wingman.text");
    lua_pushcfunction(L, l_text_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);

    luaL_newmetatable(L, "wingman.histogram");
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    lua_pushcfunction(L, l_histogram);
    lua_setfield(L, -2, "histogram");
}
