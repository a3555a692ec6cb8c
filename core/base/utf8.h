#ifndef WM_UTF8_H
#define WM_UTF8_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 by RFC 3629: shortest encodings only, no surrogates, nothing above U+10FFFF. */

static inline bool wm_utf8_is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Reads the sequence at `p`, where `left` bytes (at least 1) can be read. Returns its length, 1 to 4,
 * and sets the code point; 0 when it is not well-formed. */
static inline size_t wm_utf8_read(const uint8_t *p, size_t left, uint32_t *code_point)
{
    uint8_t lead = p[0];
    if (lead < 0x80) {
        *code_point = lead;
        return 1;
    }
    if (lead < 0xc2 || left < 2 || !wm_utf8_is_tail(p[1])) return 0;
    if (lead < 0xe0) {
        *code_point = (uint32_t)(lead & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    }
    if (left < 3 || !wm_utf8_is_tail(p[2])) return 0;
    if (lead < 0xf0) {
        uint32_t c = (uint32_t)(lead & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        if (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)) return 0;
        *code_point = c;
        return 3;
    }
    if (lead > 0xf4 || left < 4 || !wm_utf8_is_tail(p[3])) return 0;
    uint32_t c = (uint32_t)(lead & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
                 (p[3] & 0x3f);
    if (c < 0x10000 || c > 0x10ffff) return 0;
    *code_point = c;
    return 4;
}

/* Whether all bytes are well-formed UTF-8. For the FFI, too. */
__attribute__((visibility("default"))) bool wm_utf8_valid(const void *bytes, size_t len);
#endif
