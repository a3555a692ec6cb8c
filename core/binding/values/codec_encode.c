/* Lua values to MessagePack. A table that looks like a list is written in the
 * order in which lua_next gives its keys, in one pass; only where that order
 * turns out not to be 1, 2, 3 .. are the keys looked at as a whole. Nothing is
 * encoded twice: with nesting that would double at each level. */
#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "binding/values/codec.h"
#include "binding/values/codec_state.h"

typedef struct encoder {
    lua_State *L;
    wm_lua_codec *codec;
    wm_buffer *out;
    size_t end; /* `out` may not become longer */
    size_t max_bytes;
    int depth;
    int max_depth;
    char reason[160];
    char path[120]; /* of the value that failed, built while unwinding */
} encoder;

__attribute__((format(printf, 2, 3))) static int fail(encoder *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(e->reason, sizeof e->reason, format, args);
    va_end(args);
    e->path[0] = '\0';
    return -1;
}

/* Names the key at `index` for a message. */
static const char *key_text(lua_State *L, int index, char *out, size_t size)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        snprintf(out, size, "\"%.40s\"", lua_tostring(L, index));
        break;
    case LUA_TNUMBER:
        snprintf(out, size, "%.14g", lua_tonumber(L, index));
        break;
    case LUA_TBOOLEAN:
        snprintf(out, size, "%s", lua_toboolean(L, index) ? "true" : "false");
        break;
    default:
        snprintf(out, size, "a %s", luaL_typename(L, index));
    }
    return out;
}

static int fail_inside(encoder *e, const char *step)
{
    size_t step_len = strlen(step), path_len = strlen(e->path);
    if (step_len + path_len >= sizeof e->path - 4) {
        if (path_len >= 3 && memcmp(e->path, "...", 3) == 0) return -1;
        step = "...";
        step_len = 3;
        if (path_len > sizeof e->path - 4) return -1;
    }
    memmove(e->path + step_len, e->path, path_len + 1);
    memcpy(e->path, step, step_len);
    return -1;
}

static int fail_at_index(encoder *e, double i)
{
    char step[32];
    snprintf(step, sizeof step, "[%.0f]", i);
    return fail_inside(e, step);
}

static int fail_at_key(encoder *e, const char *key)
{
    char step[48];
    snprintf(step, sizeof step, ".%.40s", key);
    return fail_inside(e, step);
}

static int fail_size(encoder *e)
{
    return fail(e, "the value takes more than %zu bytes", e->max_bytes);
}

static bool fits(const encoder *e, size_t more)
{
    return e->out->len <= e->end && more <= e->end - e->out->len;
}

static int encode_bytes(encoder *e, const char *s, size_t len, bool binary)
{
    if (!fits(e, len)) return fail_size(e);
    if (binary) wm_mp_write_bin(e->out, s, len);
    else wm_mp_write_str(e->out, s, len);
    return 0;
}

static int encode_string(encoder *e, int index)
{
    size_t len;
    const char *s = lua_tolstring(e->L, index, &len);
    return encode_bytes(e, s, len, !wm_utf8_valid(s, len));
}

static int encode_bin(encoder *e, int table)
{
    lua_State *L = e->L;
    lua_pushliteral(L, "bytes");
    lua_rawget(L, table);
    int rc;
    if (lua_type(L, -1) == LUA_TSTRING) {
        size_t len;
        const char *s = lua_tolstring(L, -1, &len);
        rc = encode_bytes(e, s, len, true);
    } else {
        rc = fail(e, "a bin mark without a string in `bytes`");
    }
    lua_pop(L, 1);
    return rc;
}

static int encode_cdata(encoder *e, int index)
{
    lua_State *L = e->L;
    if (e->codec->int64_parts_ref == LUA_NOREF) return fail(e, "a cdata cannot be encoded");
    lua_rawgeti(L, LUA_REGISTRYINDEX, e->codec->int64_parts_ref);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 3, 0) != 0) {
        lua_pop(L, 1);
        return fail(e, "a cdata could not be read");
    }
    int kind = (int)lua_tonumber(L, -3);
    uint64_t v = (uint64_t)lua_tonumber(L, -2) << 32 | (uint64_t)lua_tonumber(L, -1);
    lua_pop(L, 3);
    if (kind == 1) wm_mp_write_int64(e->out, (int64_t)v);
    else if (kind == 2) wm_mp_write_uint64(e->out, v);
    else return fail(e, "a cdata that is no 64-bit integer cannot be encoded");
    return 0;
}

static int encode_value(encoder *e, int index);

/* The header can only be written when the pairs have been counted. One byte is
 * kept free for it, which is enough for most maps. */
static void close_map(wm_buffer *out, size_t start, uint32_t count)
{
    if (count < 16) {
        out->data[start] = (uint8_t)(0x80 | count);
        return;
    }
    size_t header = count <= UINT16_MAX ? 3 : 5;
    if (wm_buffer_reserve(out, header) == NULL) return;
    size_t pairs = out->len - start - 1;
    memmove(out->data + start + header, out->data + start + 1, pairs);
    out->len = start;
    wm_mp_write_map(out, count);
    out->len += pairs;
}

static int encode_key(encoder *e, int index)
{
    lua_State *L = e->L;
    char text[64];
    if (lua_type(L, index) != LUA_TSTRING) {
        return fail(e, "the keys of a map are strings, but one is %s (%s)", key_text(L, index, text, sizeof text),
                    luaL_typename(L, index));
    }
    size_t len;
    const char *s = lua_tolstring(L, index, &len);
    if (!wm_utf8_valid(s, len)) return fail(e, "a map key is not UTF-8: %s", key_text(L, index, text, sizeof text));
    return encode_bytes(e, s, len, false);
}

static int encode_map(encoder *e, int table)
{
    lua_State *L = e->L;
    size_t start = e->out->len;
    uint32_t count = 0;
    if (wm_buffer_reserve(e->out, 1) == NULL) return fail(e, "out of memory");
    e->out->len++;
    lua_pushnil(L);
    while (lua_next(L, table)) { /* key, value */
        int value = lua_gettop(L);
        if (encode_key(e, value - 1) < 0) return -1;
        if (encode_value(e, value) < 0) return fail_at_key(e, lua_tostring(L, value - 1));
        lua_pop(L, 1);
        count++;
    }
    close_map(e->out, start, count);
    return 0;
}

/* The elements first .. count, nil for what is not there. */
static int encode_elements(encoder *e, int table, uint32_t first, uint32_t count)
{
    lua_State *L = e->L;
    for (uint32_t i = first; i <= count; i++) {
        lua_rawgeti(L, table, (int)i);
        if (encode_value(e, lua_gettop(L)) < 0) return fail_at_index(e, i);
        lua_pop(L, 1);
    }
    return 0;
}

static int encode_array(encoder *e, int table, uint32_t count)
{
    if (!fits(e, count)) return fail_size(e);
    wm_mp_write_array(e->out, count);
    return encode_elements(e, table, 1, count);
}

static bool is_index(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TNUMBER) return false;
    double k = lua_tonumber(L, index);
    return k >= 1 && k <= INT32_MAX && k == floor(k);
}

static bool is_n(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), "n") == 0;
}

/* Looks at all keys: how many are list indices, which is the largest. Anything
 * else is an error, but for `n` in a marked list. */
static int survey(encoder *e, int table, bool marked, uint32_t *count, uint32_t *largest)
{
    lua_State *L = e->L;
    char text[64];
    *count = *largest = 0;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1); /* key */
        if (is_index(L, -1)) {
            uint32_t k = (uint32_t)lua_tonumber(L, -1);
            if (k > *largest) *largest = k;
            ++*count;
        } else if (!(marked && is_n(L, -1))) {
            key_text(L, -1, text, sizeof text);
            return marked ? fail(e, "a table marked as array has the key %s", text)
                          : fail(e, "the key %s stands beside integer keys: neither an array nor a map", text);
        }
    }
    return 0;
}

static int fail_hole(encoder *e, int table, uint32_t largest)
{
    lua_State *L = e->L;
    uint32_t hole = 0;
    do {
        lua_rawgeti(L, table, (int)++hole);
        bool there = !lua_isnil(L, -1);
        lua_pop(L, 1);
        if (!there) break;
    } while (hole < largest);
    return fail(e, "the array has a hole at [%u] before its key %u; array{n = %u, ..} writes holes as nil", hole,
                largest, largest);
}

static int encode_marked_array(encoder *e, int table)
{
    lua_State *L = e->L;
    uint32_t count, largest;
    if (survey(e, table, true, &count, &largest) < 0) return -1;
    lua_pushliteral(L, "n");
    lua_rawget(L, table);
    bool has_n = !lua_isnil(L, -1);
    double n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    lua_pop(L, 1);

    if (!has_n) return count == largest ? encode_array(e, table, count) : fail_hole(e, table, largest);
    if (!(n >= 0 && n <= INT32_MAX && n == floor(n))) return fail(e, "the `n` of an array is a whole number >= 0");
    if (largest > n) return fail(e, "the array has the key %u beyond its n = %.0f", largest, n);
    return encode_array(e, table, (uint32_t)n);
}

/* The rest of a list of `expected` elements from `first` on, in whatever order
 * its table has them; or the reason why it is no list. */
static int encode_rest(encoder *e, int table, uint32_t first, size_t expected)
{
    uint32_t count, largest;
    if (survey(e, table, false, &count, &largest) < 0) return -1;
    if (count != largest) return fail_hole(e, table, largest);
    if (count != expected) return fail(e, "the table changed while it was encoded");
    return encode_elements(e, table, first, count);
}

/* On the stack: the first key, a number, and its value. */
static int encode_list(encoder *e, int table)
{
    lua_State *L = e->L;
    int key = lua_gettop(L) - 1;
    size_t count = lua_objlen(L, table);
    uint32_t i = 1;
    if (!fits(e, count)) return fail_size(e);
    wm_mp_write_array(e->out, (uint32_t)count);
    while (lua_type(L, key) == LUA_TNUMBER && lua_tonumber(L, key) == i) {
        if (encode_value(e, key + 1) < 0) return fail_at_index(e, i);
        lua_pop(L, 1);
        i++;
        if (lua_next(L, table)) continue;
        return i - 1 == count ? 0 : fail(e, "the table changed while it was encoded");
    }
    lua_settop(L, key - 1);
    return encode_rest(e, table, i, count);
}

static int encode_unmarked(encoder *e, int table)
{
    lua_State *L = e->L;
    lua_pushnil(L);
    if (!lua_next(L, table)) {
        wm_mp_write_map(e->out, 0);
        return 0;
    }
    if (lua_type(L, -2) == LUA_TNUMBER) return encode_list(e, table);
    lua_pop(L, 2);
    return encode_map(e, table);
}

static int encode_table(encoder *e, int table)
{
    lua_State *L = e->L;
    if (e->depth == e->max_depth || !lua_checkstack(L, 8))
        return fail(e, "nested deeper than %d levels; does a table contain itself?", e->max_depth);
    const void *mark = NULL;
    if (lua_getmetatable(L, table)) {
        mark = lua_topointer(L, -1);
        lua_pop(L, 1);
    }

    int rc;
    e->depth++;
    if (mark == NULL) rc = encode_unmarked(e, table);
    else if (mark == e->codec->array_mark) rc = encode_marked_array(e, table);
    else if (mark == e->codec->map_mark) rc = encode_map(e, table);
    else if (mark == e->codec->bin_mark) rc = encode_bin(e, table);
    else if (mark == e->codec->timestamp_mark)
        rc = fail(e, "a timestamp would be an extension, and extensions are not written; send a number");
    else rc = encode_unmarked(e, table);
    e->depth--;
    return rc;
}

static int encode_other(encoder *e, int index)
{
    const char *type = luaL_typename(e->L, index);
    if (strcmp(type, "cdata") == 0) return encode_cdata(e, index);
    return fail(e, "a %s cannot be encoded", type);
}

/* On failure the Lua stack above `index` is not cleared: only the outermost
 * caller does that. */
static int encode_value(encoder *e, int index)
{
    lua_State *L = e->L;
    int rc = 0;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        wm_mp_write_nil(e->out);
        break;
    case LUA_TBOOLEAN:
        wm_mp_write_bool(e->out, lua_toboolean(L, index));
        break;
    case LUA_TNUMBER:
        wm_mp_write_number(e->out, lua_tonumber(L, index));
        break;
    case LUA_TSTRING:
        rc = encode_string(e, index);
        break;
    case LUA_TTABLE:
        rc = encode_table(e, index);
        break;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == NULL) wm_mp_write_nil(e->out);
        else rc = fail(e, "a light userdata other than null cannot be encoded");
        break;
    default:
        rc = encode_other(e, index);
    }
    if (rc < 0) return rc;
    if (e->out->failed) return fail(e, "out of memory");
    return fits(e, 0) ? 0 : fail_size(e);
}

static int encode(lua_State *L, int index, size_t max_bytes, int max_depth, wm_buffer *out, const char **err)
{
    int top = lua_gettop(L);
    size_t start = out->len;
    bool had_failed = out->failed;
    if (index < 0 && index > LUA_REGISTRYINDEX) index = top + index + 1;

    /* Field by field: to clear the texts would cost as much as a small value. */
    encoder e;
    e.L = L;
    e.codec = wm_lua_codec_state(L);
    e.out = out;
    e.max_bytes = max_bytes;
    e.depth = 0;
    e.max_depth = max_depth;
    e.end = max_bytes < SIZE_MAX - start ? start + max_bytes : SIZE_MAX;
    int rc = lua_checkstack(L, 8) ? encode_value(&e, index) : fail(&e, "the Lua stack is full");
    lua_settop(L, top);
    if (rc == 0) return 0;

    out->len = start;
    out->failed = had_failed;
    snprintf(e.codec->error, sizeof e.codec->error, e.path[0] ? "%s (at %s)" : "%s", e.reason,
             e.path[0] == '.' ? e.path + 1 : e.path);
    *err = e.codec->error;
    return -1;
}

int wm_lua_encode_within(lua_State *L, int index, size_t max_bytes, wm_buffer *out, const char **err)
{
    return encode(L, index, max_bytes, WM_MP_MAX_DEPTH, out, err);
}

int wm_lua_encode_map_value(lua_State *L, int index, wm_buffer *out, const char **err)
{
    return encode(L, index, WM_LUA_MAX_ENCODED, WM_LUA_MAP_VALUE_DEPTH, out, err);
}
