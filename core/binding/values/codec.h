#ifndef WM_LUA_CODEC_H
#define WM_LUA_CODEC_H
#include <lua.h>

#include "base/msgpack.h"

/* Encodes Lua values as MessagePack, and decodes them. The mapping is described at the top of
 * lua/wingman/base/msgpack.lua. No user code runs: no metamethod is called. Both may raise, when Lua is
 * out of memory or a finalizer raises, so the caller's memory must belong to something that Lua frees. */

/* The largest message: a larger one would end a server process. */
#define WM_LUA_MAX_ENCODED (64u << 20)

/* Appends the value at `index`, at most `max_bytes`. Returns 0, or < 0 with place and reason in `*err`, a text
 * valid until the next call on this Lua state; `out` has its old length then. Leaves the Lua stack as it was. */
int wm_lua_encode_within(lua_State *L, int index, size_t max_bytes, wm_buffer *out, const char **err);

/* The same for a value of a map, at most WM_LUA_MAX_ENCODED: its nesting is limited, so that the op log's file and other clients
 * can read it. */
int wm_lua_encode_map_value(lua_State *L, int index, wm_buffer *out, const char **err);
/* A message has WM_MP_MAX_DEPTH levels and needs 5 around a value: in an OP_BATCH the message, its
 * payload, the list of operations, the operation and its record. */
#define WM_LUA_MAP_VALUE_DEPTH 120

/* Reads one value and pushes it. Returns 0, or < 0, a wm_mp_result or one of these codes: nothing was
 * pushed and the reader is where it was. */
#define WM_LUA_EKEY (-30)        /* a map key that no Lua table can have */
#define WM_LUA_ETIMESTAMP (-31)  /* an invalid timestamp extension */
#define WM_LUA_EEXTENSION (-400) /* plus the extension's type, -128 .. 127 */
int wm_lua_decode(lua_State *L, wm_mp_reader *r);
/* The same in pieces. Between two calls the unfinished tables and their keys are on the Lua stack, above
 * its top at the first call. None is nil, so the caller may move them to a table, and back. */
typedef struct wm_lua_open_table {
    uint32_t left;  /* values left to read */
    uint32_t count; /* of an array: elements read so far */
    bool is_map;
    bool has_key; /* the key of the next value is on the stack */
} wm_lua_open_table;
typedef struct wm_lua_decoding {
    wm_mp_reader r;
    uint32_t max_reserved; /* largest number of entries for which a table is allocated in advance */
    int depth;
    bool is_done;
    wm_lua_open_table open[WM_MP_MAX_DEPTH];
} wm_lua_decoding;
/* Begins. Copies the reader; its bytes must stay. `max_reserved` bounds what a forged count of entries
 * allocates; for bytes that were parsed before, it may be as large as the limit for a table. */
void wm_lua_decode_begin(wm_lua_decoding *at, const wm_mp_reader *r, uint32_t max_reserved);
/* Reads at most `most` keys and values. 1: there are more; 0: the value is on top of the stack; < 0 as
 * wm_lua_decode: the caller removes the unfinished tables from the stack. */
int wm_lua_decode_on(lua_State *L, wm_lua_decoding *at, uint32_t most);
/* A text for a code of wm_lua_decode; valid until the next call on this state. */
const char *wm_lua_decode_text(lua_State *L, int code);
#endif
