#include "base/utf8.h"

#include <string.h>

bool wm_utf8_valid(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint32_t ignored;
    while (len > 0) {
        if (len >= 8) {
            /* Most text is ASCII: eight bytes at a time while it is. */
            uint64_t eight;
            memcpy(&eight, p, 8);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                p += 8;
                len -= 8;
                continue;
            }
        }
        size_t n = wm_utf8_read(p, len, &ignored);
        if (n == 0) return false;
        p += n;
        len -= n;
    }
    return true;
}
