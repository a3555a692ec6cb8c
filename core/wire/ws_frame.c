#include "wire/ws_frame.h"

#include <string.h>
#include <sys/random.h>

#define FINAL 0x80
#define BINARY 2
#define MASKED 0x80

static bool next_mask(wm_ws_masks *m, uint32_t *key)
{
    if (m->left == 0) {
        /* Up to 256 bytes come whole (getrandom(2)), more may be cut by a signal. */
        uint8_t *to = (uint8_t *)m->keys;
        for (size_t got = 0; got < sizeof m->keys; got += 256)
            if (getrandom(to + got, 256, 0) != 256) return false;
        m->left = sizeof m->keys / sizeof m->keys[0];
    }
    *key = m->keys[--m->left];
    return true;
}

/* What processors take at once; written out, because compilers keep to single words here. */
typedef uint32_t vector __attribute__((vector_size(16)));

static void mask(uint8_t *p, size_t len, uint32_t key)
{
    const vector keys = {key, key, key, key};
    while (len >= 64) {
        vector v[4];
        memcpy(v, p, sizeof v);
        v[0] ^= keys;
        v[1] ^= keys;
        v[2] ^= keys;
        v[3] ^= keys;
        memcpy(p, v, sizeof v);
        p += sizeof v;
        len -= sizeof v;
    }
    uint8_t bytes[sizeof key];
    memcpy(bytes, &key, sizeof key);
    for (size_t i = 0; i < len; i++) p[i] ^= bytes[i & 3];
}

/* Of the length behind the first two bytes, which hold a small one themselves. */
static size_t length_size(size_t len)
{
    return len < 126 ? 0 : (len < 65536 ? 2 : 8);
}

static size_t header_size(size_t len)
{
    return 2 + length_size(len) + sizeof(uint32_t);
}

static void write_header(uint8_t *p, int opcode, size_t len, uint32_t key)
{
    size_t size = length_size(len);
    *p++ = (uint8_t)(FINAL | opcode);
    *p++ = (uint8_t)(MASKED | (size == 0 ? len : (size == 2 ? 126 : 127)));
    while (size-- > 0) *p++ = (uint8_t)((uint64_t)len >> (8 * size));
    memcpy(p, &key, sizeof key);
}

bool wm_ws_frame(wm_ws_masks *masks, wm_buffer *out, size_t at)
{
    size_t len = out->len - at - WM_WS_HEADER_ROOM;
    size_t header = header_size(len);
    uint32_t key;
    bool ready = next_mask(masks, &key);
    if (ready && header > WM_WS_HEADER_ROOM) ready = wm_buffer_reserve(out, header - WM_WS_HEADER_ROOM) != NULL;
    if (!ready) {
        out->len = at;
        return false;
    }
    uint8_t *frame = out->data + at;
    if (header != WM_WS_HEADER_ROOM) memmove(frame + header, frame + WM_WS_HEADER_ROOM, len);
    write_header(frame, BINARY, len, key);
    mask(frame + header, len, key);
    out->len = at + header + len;
    return true;
}

bool wm_ws_control_frame(wm_ws_masks *masks, wm_buffer *out, int opcode, const uint8_t *payload, size_t len)
{
    uint32_t key;
    size_t header = header_size(len);
    uint8_t *frame = wm_buffer_reserve(out, header + len);
    if (frame == NULL || !next_mask(masks, &key)) return false;
    write_header(frame, opcode, len, key);
    if (len > 0) memcpy(frame + header, payload, len);
    mask(frame + header, len, key);
    out->len += header + len;
    return true;
}
