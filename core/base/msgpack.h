#ifndef WM_MSGPACK_H
#define WM_MSGPACK_H
#include "base/buffer.h"

/* MessagePack for both server families. The writer uses what both read: integers in the smallest
 * encoding, float64 outside of -2^31 .. 2^32-1 (the 0.11 server makes BigInts of 64-bit integers, which
 * fail its checks), and no extensions. The reader reads every standard encoding. */

/* The deepest nesting that the reader and the Lua encoder accept. */
#define WM_MP_MAX_DEPTH 128

typedef enum wm_mp_kind {
    WM_MP_NIL,
    WM_MP_BOOL,
    WM_MP_UINT,  /* any integer >= 0, in .u */
    WM_MP_INT,   /* any integer < 0, in .i */
    WM_MP_FLOAT, /* float32 or float64, in .f */
    WM_MP_STR,
    WM_MP_BIN,
    WM_MP_ARRAY,  /* .count elements follow */
    WM_MP_MAP,    /* .count pairs follow */
    WM_MP_EXT,    /* .ext_type, bytes in .bytes/.len */
    WM_MP_ABSENT, /* d4 00 00: JavaScript's undefined; treat the field as missing */
} wm_mp_kind;

typedef struct wm_mp_item {
    wm_mp_kind kind;
    bool b;
    int8_t ext_type;
    uint32_t count;
    uint32_t len;         /* of .bytes */
    const uint8_t *bytes; /* STR, BIN, EXT: points into the input */
    union {
        uint64_t u;
        int64_t i;
        double f;
    };
} wm_mp_item;

typedef struct wm_mp_reader {
    const uint8_t *pos;
    const uint8_t *end;
} wm_mp_reader;

typedef enum wm_mp_result {
    WM_MP_OK = 0,
    WM_MP_ETRUNCATED = -1, /* the input ends inside a value, or a length or a
                            * count exceeds what is left */
    WM_MP_EINVALID = -2,   /* the byte c1, which no value starts with */
    WM_MP_EDEPTH = -3,     /* nested deeper than WM_MP_MAX_DEPTH */
} wm_mp_result;

/* A text for a result, for error messages. Static. */
const char *wm_mp_result_text(int result);

/* Reads from `bytes`, which must stay while the reader and its items are used. */
void wm_mp_reader_init(wm_mp_reader *r, const void *bytes, size_t len);
/* Reads one scalar, or the header of an array or map. A count must not exceed the bytes left, as each
 * element takes at least one. After an error of this or the following functions the reader is where it
 * was. */
int wm_mp_read(wm_mp_reader *r, wm_mp_item *out);
/* Skips one whole value, nested up to WM_MP_MAX_DEPTH. */
int wm_mp_skip(wm_mp_reader *r);
/* The same with at most `depth` levels of arrays and maps. */
int wm_mp_skip_within(wm_mp_reader *r, int depth);
/* A walk: skips one whole value in pieces of bounded work, and adds up what decoding it costs. */
typedef struct wm_mp_walk {
    wm_mp_reader at;                /* behind the items that were skipped so far */
    int depth;                      /* the most levels of arrays and maps that are accepted */
    int open;                       /* how many arrays and maps are open */
    size_t lua_bytes;               /* estimated memory of the skipped items in Lua: wm_mp_lua_bytes of each */
    size_t largest;                 /* keys and values of the largest array or map among them */
    uint64_t left[WM_MP_MAX_DEPTH]; /* keys and values left in each open array or map */
} wm_mp_walk;
/* The estimated memory of one decoded item in Lua, in bytes: of a string, or of a table without its
 * elements (in LuaJIT 64 bytes, 8 for each place of the array part, 24 for each of the hash part, whose
 * size is a power of two). */
size_t wm_mp_lua_bytes(const wm_mp_item *it);
/* The number of keys and values of an array or map itself; 0 for any other item. */
size_t wm_mp_entries(const wm_mp_item *it);
/* Begins a walk. `depth` as in wm_mp_skip_within. */
void wm_mp_walk_begin(wm_mp_walk *w, const wm_mp_reader *from, int depth);
/* Skips at most *most items, and subtracts their number from it. Returns WM_MP_OK when the whole value
 * was skipped, 1 when items are left, or a wm_mp_result < 0. */
int wm_mp_walk_on(wm_mp_walk *w, uint32_t *most);
/* Skips one whole value and returns its bytes. */
int wm_mp_slice(wm_mp_reader *r, const uint8_t **bytes, size_t *len);

/* -- reading what a field should be; false when it is something else -- */
/* An integer >= 0, or a whole float >= 0 (times arrive as float64). */
bool wm_mp_as_uint(const wm_mp_item *it, uint64_t *out);
/* True for a STR that equals the C string. */
bool wm_mp_is(const wm_mp_item *it, const char *text);

/* Finds the value of the key `name` in the map at `bytes`; *out points to it. Of several such keys the
 * last one counts. WM_MP_OK; *out is NULL then when there is no such key, its value is absent (d4 00
 * 00), or `bytes` hold no map. Or a wm_mp_result < 0. */
int wm_mp_find(const void *bytes, size_t len, const char *name, const uint8_t **out, size_t *out_len);

/* -- writing; failures end up in b->failed -- */
void wm_mp_write_nil(wm_buffer *b);
void wm_mp_write_bool(wm_buffer *b, bool v);
/* Whole numbers in -2^31 .. 2^32-1 as the smallest integer, else float64. */
void wm_mp_write_number(wm_buffer *b, double v);
/* Always the 9-byte float64: for times, whose width must not vary. */
void wm_mp_write_float64(wm_buffer *b, double v);
/* Exact 64-bit integers, in the shortest encoding: d3 or cf beyond 32 bits. */
void wm_mp_write_uint64(wm_buffer *b, uint64_t v);
void wm_mp_write_int64(wm_buffer *b, int64_t v);
void wm_mp_write_str(wm_buffer *b, const char *s, size_t len);
/* The same for a C string. */
void wm_mp_write_cstr(wm_buffer *b, const char *s);
void wm_mp_write_bin(wm_buffer *b, const void *bytes, size_t len);
/* Headers; the caller writes `count` values (or pairs) next. fixarray/array16/32
 * and fixmap/map16/32 by size. */
void wm_mp_write_array(wm_buffer *b, uint32_t count);
void wm_mp_write_map(wm_buffer *b, uint32_t count);
/* Bytes that are MessagePack already. */
void wm_mp_write_raw(wm_buffer *b, const void *bytes, size_t len);

/* The same as wm_mp_write_number and wm_mp_write_str, but written to `at`, which has room for 9 bytes,
 * or for `len` + 3 bytes with `len` up to 65535. Return the number of bytes written. For the FFI. */
__attribute__((visibility("default"))) uint32_t wm_mp_put_number(uint8_t *at, double v);
__attribute__((visibility("default"))) uint32_t wm_mp_put_str(uint8_t *at, const char *s, size_t len);
#endif
