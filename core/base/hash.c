#include "base/hash.h"

#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* for a state on the stack */
#include <xxhash.h>

#include "base/utf8.h"

#define FNV_OFFSET UINT32_C(0x811c9dc5)
#define FNV_PRIME UINT32_C(0x01000193)
#define REPLACEMENT 0xfffd

static uint32_t step(uint32_t h, uint32_t unit)
{
    return (h ^ unit) * FNV_PRIME;
}

/* From a byte on that is not ASCII. `valid` is set to false for what is no UTF-8. */
__attribute__((noinline)) static uint32_t hash_utf8(uint32_t h, const uint8_t *p, const uint8_t *end, bool *valid)
{
    while (p != end) {
        if (*p < 0x80) {
            h = step(h, *p++);
            continue;
        }
        uint32_t c;
        size_t n = wm_utf8_read(p, (size_t)(end - p), &c);
        if (n == 0) {
            *valid = false;
            h = step(h, REPLACEMENT);
            p++;
            continue;
        }
        if (c >= 0x10000) {
            c -= 0x10000;
            h = step(h, 0xd800 + (c >> 10));
            c = 0xdc00 + (c & 0x3ff);
        }
        h = step(h, c);
        p += n;
    }
    return h;
}

static inline uint32_t hash_fnv1a(uint32_t h, const char *key, size_t len, bool *valid)
{
    const uint8_t *p = (const uint8_t *)key;
    const uint8_t *end = p + len;
    for (size_t n = len >> 2; n > 0; n--) {
        uint32_t four;
        memcpy(&four, p, 4);
        if (four & UINT32_C(0x80808080)) return hash_utf8(h, p, end, valid);
        h = step(step(step(step(h, p[0]), p[1]), p[2]), p[3]);
        p += 4;
    }
    for (size_t n = len & 3; n > 0; n--) {
        if (*p >= 0x80) return hash_utf8(h, p, end, valid);
        h = step(h, *p++);
    }
    return h;
}

uint32_t wm_hash_fnv1a(const char *key, size_t len)
{
    return wm_hash_fnv1a_more(FNV_OFFSET, key, len);
}

uint32_t wm_hash_fnv1a_more(uint32_t hash, const char *rest, size_t len)
{
    bool valid;
    return hash_fnv1a(hash, rest, len, &valid);
}

bool wm_hash_fnv1a_utf8(const char *key, size_t len, uint32_t *hash)
{
    bool valid = true;
    *hash = hash_fnv1a(FNV_OFFSET, key, len, &valid);
    return valid;
}

uint32_t wm_hash_xxh64(const char *key, size_t len)
{
    return (uint32_t)XXH64(key, len, 0);
}

uint32_t wm_hash_xxh64_parts(const wm_hash_part *parts, size_t count)
{
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    for (size_t i = 0; i < count; i++) XXH64_update(&state, parts[i].text, parts[i].len);
    return (uint32_t)XXH64_digest(&state);
}

uint32_t wm_hash(wm_hash_kind kind, const char *key, size_t len)
{
    return kind == WM_HASH_XXH64 ? wm_hash_xxh64(key, len) : wm_hash_fnv1a(key, len);
}
