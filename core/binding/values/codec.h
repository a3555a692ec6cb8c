#ifndef WM_LUA_CODEC_H
#define WM_LUA_CODEC_H
#include <lua.h>

#include "base/msgpack.h"

/* Lua values to MessagePack and back. Which value becomes what stands at the
 * top of lua/wingman/base/msgpack.lua. Both directions run no user code: no
 * metamethod is called. Both may raise when Lua is out of memory, or when a
 * finalizer that the collector happens to run raises, so whoever calls them
 * keeps his memory in something that Lua frees. */

/* What wm_lua_encode writes at most: more would end a server process. */
#define WM_LUA_MAX_ENCODED (64u << 20)

/* Appends the value at `index`. 0, or < 0 with `*err` a text that names the
 * place and the reason, good until the next call on this Lua state; `out` is
 * then as long as before. Leaves the Lua stack as it was. */
int wm_lua_encode(lua_State *L, int index, wm_buffer *out, const char **err);
/* The same with another limit, in bytes, for what is appended. */
int wm_lua_encode_within(lua_State *L, int index, size_t max_bytes, wm_buffer *out, const char **err);

/* The same for what becomes the value of a map's key: not so deeply nested that the op log's
 * file or another client could not read it any more. */
int wm_lua_encode_map_value(lua_State *L, int index, wm_buffer *out, const char **err);
/* Of the WM_MP_MAX_DEPTH levels of a message, what it has around a value needs 5 (in an
 * OP_BATCH: the message, its payload, the list of operations, the operation, its record). */
#define WM_LUA_MAP_VALUE_DEPTH 120

/* Reads one value and pushes it: exactly one, and the reader stands behind it.
 * Or pushes nothing, leaves the reader where it was and returns < 0: a
 * wm_mp_result or one of the following. */
#define WM_LUA_EKEY (-30)        /* a map key that no Lua table can have */
#define WM_LUA_ETIMESTAMP (-31)  /* a timestamp extension that says no time */
#define WM_LUA_EEXTENSION (-400) /* plus the extension's type, -128 .. 127 */
int wm_lua_decode(lua_State *L, wm_mp_reader *r);
/* The same in pieces. Between them the Lua stack holds, from where it was at the first one
 * on, wm_lua_decoding's half-made tables and their keys, none of which is nil: the caller
 * may put them aside. */
typedef struct wm_lua_open_table {
    uint32_t left;  /* values still to come */
    uint32_t count; /* of an array, so far */
    bool is_map;
    bool has_key; /* of the value that comes next; it is on the stack */
} wm_lua_open_table;
typedef struct wm_lua_decoding {
    wm_mp_reader r;
    uint32_t max_reserved; /* entries that a table gets room for before they are read */
    int depth;
    bool is_done;
    wm_lua_open_table open[WM_MP_MAX_DEPTH];
} wm_lua_decoding;
/* Copies the reader; its bytes must stay. Of bytes that were parsed and are within the
 * limits, `max_reserved` may be as large as these. */
void wm_lua_decode_begin(wm_lua_decoding *at, const wm_mp_reader *r, uint32_t max_reserved);
/* Takes at most `most` keys and values: 1 when there are more; 0: the value is on top of the
 * stack; < 0 as wm_lua_decode, and what is on the stack is the caller's to take off. */
int wm_lua_decode_on(lua_State *L, wm_lua_decoding *at, uint32_t most);
/* A text for a code of wm_lua_decode; good until the next call on this state. */
const char *wm_lua_decode_text(lua_State *L, int code);
#endif
