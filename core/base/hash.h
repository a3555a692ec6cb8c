#ifndef WM_HASH_H
#define WM_HASH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which string hash a cluster uses for keys. Nothing on the wire says it; see
 * lua/wingman/cluster/hash_probe.lua for how it is found out. */
typedef enum wm_hash_kind {
    WM_HASH_UNKNOWN = 0,
    WM_HASH_FNV1A = 1, /* every v2 server; 0.11 without its native module */
    WM_HASH_XXH64 = 2, /* 0.11 with its native module */
} wm_hash_kind;

/* FNV-1a, 32 bit (offset 0x811c9dc5, prime 0x01000193), one step per UTF-16
 * code unit of the key, which arrives as UTF-8. A character outside the basic
 * plane is two steps (its surrogate pair). Invalid UTF-8: every byte that does
 * not belong to a well-formed sequence counts as one U+FFFD, as a WHATWG
 * decoder would replace a lone bad byte; so any bytes have a hash. */
uint32_t wm_hash_fnv1a(const char *key, size_t len);
/* The same hash into `hash`, and whether the key is well-formed UTF-8: known at no cost,
 * as the hash reads it anyway. */
bool wm_hash_fnv1a_utf8(const char *key, size_t len, uint32_t *hash);
/* The low 32 bits of XXH64 over the UTF-8 bytes, seed 0. */
uint32_t wm_hash_xxh64(const char *key, size_t len);
/* The one that `kind` names; FNV-1a for WM_HASH_UNKNOWN. */
uint32_t wm_hash(wm_hash_kind kind, const char *key, size_t len);
#endif
