#ifndef WM_HASH_H
#define WM_HASH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The string hash that a cluster uses for keys. No message names it; lua/wingman/cluster/hash_probe.lua
 * finds out which it is. */
typedef enum wm_hash_kind {
    WM_HASH_UNKNOWN = 0,
    WM_HASH_FNV1A = 1, /* every v2 server; 0.11 without its native module */
    WM_HASH_XXH64 = 2, /* 0.11 with its native module */
} wm_hash_kind;

/* FNV-1a with 32 bits (offset 0x811c9dc5, prime 0x01000193) over the UTF-16 code units of `key`, which
 * is UTF-8. A character outside the basic plane is two code units, its surrogate pair. Each byte that
 * is not part of well-formed UTF-8 counts as one U+FFFD, so all bytes have a hash. */
uint32_t wm_hash_fnv1a(const char *key, size_t len);
/* Sets `hash` to the same, and returns whether the key is well-formed UTF-8, which costs nothing more. */
bool wm_hash_fnv1a_utf8(const char *key, size_t len, uint32_t *hash);
/* The hash of a longer text: `hash` is that of its beginning, `rest` what follows. Where the border
 * divides a character, the hash is another one. */
uint32_t wm_hash_fnv1a_more(uint32_t hash, const char *rest, size_t len);
/* The low 32 bits of XXH64 over the UTF-8 bytes, seed 0. */
uint32_t wm_hash_xxh64(const char *key, size_t len);
/* The same over a text that stands in `count` parts. */
typedef struct wm_hash_part {
    const char *text;
    size_t len;
} wm_hash_part;
uint32_t wm_hash_xxh64_parts(const wm_hash_part *parts, size_t count);
/* The hash of this kind; FNV-1a for WM_HASH_UNKNOWN. */
uint32_t wm_hash(wm_hash_kind kind, const char *key, size_t len);
#endif
