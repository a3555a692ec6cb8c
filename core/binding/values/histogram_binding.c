/* wingman.core.histogram(max, digits), wingman.core.histogram_import(table). */
#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "binding/values/binding.h"
#include "binding/values/userdata.h"
#include "binding/values/histogram_userdata.h"

/* Beyond 2^53 a Lua number does not count in ones. */
#define MAX_WHOLE 9007199254740992.0

wm_histogram *wm_lua_check_histogram(lua_State *L, int index)
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
    wm_histogram_record(wm_lua_check_histogram(L, 1), check_whole(L, 2));
    return 0;
}

static int l_record_n(lua_State *L)
{
    wm_histogram *h = wm_lua_check_histogram(L, 1);
    uint64_t value = check_whole(L, 2);
    wm_histogram_record_n(h, value, check_whole(L, 3));
    return 0;
}

static int l_merge(lua_State *L)
{
    wm_histogram *into = wm_lua_check_histogram(L, 1);
    const wm_histogram *from = wm_lua_check_histogram(L, 2);
    luaL_argcheck(L, into != from, 2, "a histogram cannot be merged into itself");
    wm_histogram_merge(into, from);
    return 0;
}

static int l_reset(lua_State *L)
{
    wm_histogram_reset(wm_lua_check_histogram(L, 1));
    return 0;
}

static int l_count(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_histogram_count(wm_lua_check_histogram(L, 1)));
    return 1;
}

static int l_overflows(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_histogram_overflows(wm_lua_check_histogram(L, 1)));
    return 1;
}

static int l_min(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_histogram_min(wm_lua_check_histogram(L, 1)));
    return 1;
}

static int l_max(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wm_histogram_max(wm_lua_check_histogram(L, 1)));
    return 1;
}

static int l_mean(lua_State *L)
{
    lua_pushnumber(L, wm_histogram_mean(wm_lua_check_histogram(L, 1)));
    return 1;
}

static int l_stddev(lua_State *L)
{
    lua_pushnumber(L, wm_histogram_stddev(wm_lua_check_histogram(L, 1)));
    return 1;
}

static int l_percentile(lua_State *L)
{
    wm_histogram *h = wm_lua_check_histogram(L, 1);
    lua_Number percentile = luaL_checknumber(L, 2);
    luaL_argcheck(L, percentile >= 0 && percentile <= 100, 2, "a percentile between 0 and 100");
    lua_pushnumber(L, (lua_Number)wm_histogram_percentile(h, percentile));
    return 1;
}

static int l_count_to(lua_State *L)
{
    wm_histogram *h = wm_lua_check_histogram(L, 1);
    lua_pushnumber(L, (lua_Number)wm_histogram_count_to(h, check_whole(L, 2)));
    return 1;
}

static void set_number(lua_State *L, const char *field, uint64_t value)
{
    lua_pushnumber(L, (lua_Number)value);
    lua_setfield(L, -2, field);
}

static int l_export(lua_State *L)
{
    const wm_histogram *h = wm_lua_check_histogram(L, 1);
    lua_createtable(L, 0, 8);
    set_number(L, "digits", (uint64_t)wm_histogram_digits(h));
    set_number(L, "lowest", 1);
    set_number(L, "limit", wm_histogram_limit(h));
    set_number(L, "min", wm_histogram_min(h));
    set_number(L, "max", wm_histogram_max(h));
    set_number(L, "overflows", wm_histogram_overflows(h));

    lua_newtable(L);
    size_t slot = 0, before = 0;
    uint64_t count;
    for (int i = 1; wm_histogram_next_slot(h, &slot, &count); i += 2) {
        lua_pushnumber(L, (lua_Number)(slot - before));
        lua_rawseti(L, -2, i);
        lua_pushnumber(L, (lua_Number)count);
        lua_rawseti(L, -2, i + 1);
        before = slot++;
    }
    lua_setfield(L, -2, "counts");
    return 1;
}

/* A whole number in a field of the table at `index`; the one before is given
 * back when the field is missing. */
static bool whole_field(lua_State *L, int index, const char *field, uint64_t *value)
{
    lua_getfield(L, index, field);
    lua_Number n = lua_tonumber(L, -1);
    bool missing = lua_isnil(L, -1);
    bool whole = lua_type(L, -1) == LUA_TNUMBER && n >= 0 && n <= MAX_WHOLE && (lua_Number)(uint64_t)n == n;
    lua_pop(L, 1);
    if (whole) *value = (uint64_t)n;
    return missing || whole;
}

static bool whole_item(lua_State *L, int index, int item, uint64_t *value)
{
    lua_rawgeti(L, index, item);
    lua_Number n = lua_tonumber(L, -1);
    bool whole = lua_type(L, -1) == LUA_TNUMBER && n >= 0 && n <= MAX_WHOLE && (lua_Number)(uint64_t)n == n;
    lua_pop(L, 1);
    if (whole) *value = (uint64_t)n;
    return whole;
}

/* Adds the counts, a list of slots (each as the distance to the one before) and
 * counts. NULL, or what is wrong. */
static const char *add_counts(lua_State *L, int index, wm_histogram *h)
{
    size_t items = lua_objlen(L, index);
    if (items % 2 != 0) return "counts: pairs of a slot and a count are expected";
    uint64_t slot = 0;
    for (size_t i = 1; i < items; i += 2) {
        uint64_t step, count;
        if (!whole_item(L, index, (int)i, &step) || !whole_item(L, index, (int)i + 1, &count))
            return "counts: whole numbers are expected";
        if (i > 1 && step == 0) return "counts: the slots do not ascend";
        if (count == 0) return "counts: a slot without a count";
        slot += step;
        if (slot > MAX_WHOLE || !wm_histogram_add_slot(h, (size_t)slot, count))
            return "counts: a slot above the limit, or more than 2^53 records";
    }
    return NULL;
}

static int refuse(lua_State *L, const char *message)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

static int l_import(lua_State *L)
{
    uint64_t digits = 0, limit = 0, lowest = 1, min, max, overflows = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (!whole_field(L, 1, "digits", &digits) || digits < 1 || digits > 5)
        return refuse(L, "digits: 1 to 5 are expected");
    if (!whole_field(L, 1, "limit", &limit) || limit < 1)
        return refuse(L, "limit: a whole number between 1 and 2^53 is expected");
    if (!whole_field(L, 1, "lowest", &lowest) || lowest != 1) return refuse(L, "lowest: 1 is expected");
    lua_getfield(L, 1, "counts");
    if (!lua_istable(L, 2)) return refuse(L, "counts: a list is expected");

    wm_histogram **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, "wingman.histogram");
    lua_setmetatable(L, -2);
    *slot = wm_histogram_new(limit, (int)digits);
    if (*slot == NULL) return luaL_error(L, "histogram: out of memory");
    const char *wrong = add_counts(L, 2, *slot);
    if (wrong != NULL) return refuse(L, wrong);
    min = wm_histogram_min(*slot);
    max = wm_histogram_max(*slot);
    if (!whole_field(L, 1, "min", &min) || !whole_field(L, 1, "max", &max) ||
        !whole_field(L, 1, "overflows", &overflows) || !wm_histogram_set_bounds(*slot, min, max, overflows))
        return refuse(L, "min, max, overflows: they do not fit the counts");
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
    const wm_histogram *h = wm_lua_check_histogram(L, 1);
    const char *path = luaL_optstring(L, 2, NULL);
    lua_Number scale = luaL_optnumber(L, 3, 1);
    lua_Number ticks = luaL_optnumber(L, 4, 5);
    luaL_argcheck(L, scale > 0 && scale <= MAX_WHOLE, 3, "a number above 0");
    luaL_argcheck(L, ticks >= 1 && ticks <= 1000, 4, "a number of lines between 1 and 1000");
    return path ? save_hgrm(L, h, path, (int)ticks, scale) : push_hgrm(L, h, (int)ticks, scale);
}

/* The address for the FFI; valid until the histogram is closed. */
static int l_pointer(lua_State *L)
{
    lua_pushlightuserdata(L, wm_lua_check_histogram(L, 1));
    return 1;
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
        {"count_to", l_count_to},
        {"export", l_export},
        {"hgrm", l_hgrm},
        {"pointer", l_pointer},
        {"close", l_close},
        {NULL, NULL},
    };
    luaL_newmetatable(L, "wingman.text");
    lua_pushcfunction(L, l_text_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);

    wm_lua_new_class(L, "wingman.histogram", (const luaL_Reg *const[]){methods, NULL}, l_close);

    lua_pushcfunction(L, l_histogram);
    lua_setfield(L, -2, "histogram");
    lua_pushcfunction(L, l_import);
    lua_setfield(L, -2, "histogram_import");
}
