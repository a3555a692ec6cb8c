#ifndef WM_BYTES_H
#define WM_BYTES_H
#include <stdint.h>
#include <string.h>

/* Copies `len` bytes, at least one `word` and at most two: the first and the last word, which may
 * overlap. */
#define WM_COPY_TWICE(word, to, from, len)                        \
    do {                                                          \
        word first, last;                                         \
        memcpy(&first, (from), sizeof first);                     \
        memcpy(&last, (from) + (len) - sizeof last, sizeof last); \
        memcpy((to), &first, sizeof first);                       \
        memcpy((to) + (len) - sizeof last, &last, sizeof last);   \
    } while (0)

/* memcpy, inlined, for lengths that are mostly below a hundred bytes: there the call, and memcpy's
 * own choice by length, cost more than the copy. */
static inline void wm_copy(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len > 256) {
        memcpy(to, from, len);
    } else if (len >= 16) {
        for (size_t i = 0; i + 16 < len; i += 16) memcpy(to + i, from + i, 16);
        memcpy(to + len - 16, from + len - 16, 16);
    } else if (len >= 8) {
        WM_COPY_TWICE(uint64_t, to, from, len);
    } else if (len >= 4) {
        WM_COPY_TWICE(uint32_t, to, from, len);
    } else {
        for (size_t i = 0; i < len; i++) to[i] = from[i];
    }
}
#endif
