#ifndef WM_WS_FRAME_H
#define WM_WS_FRAME_H
#include "base/buffer.h"

/* WebSocket frames as a client sends them (RFC 6455, section 5): one binary frame a
 * message, masked eight bytes at a time and in place. */

/* Where the payload of a frame begins before its length is known: the header that fits
 * lengths from 126 to 65535. */
#define WM_WS_HEADER_ROOM 8

/* Keys for masking, a few hundred drawn from the system's random numbers at a time
 * (section 5.3 asks for ones that nobody can foresee). */
typedef struct wm_ws_masks {
    uint32_t keys[256];
    uint32_t left;
} wm_ws_masks;

/* Makes what stands in `out` from `at` on one frame: WM_WS_HEADER_ROOM bytes that are
 * left free, then the payload. The frame begins at `at`; the payload moves by some
 * bytes when it needs a header of another size. False when there are no random numbers
 * or no memory: `out` then is as if nothing stood there from `at` on. */
bool wm_ws_frame(wm_ws_masks *masks, wm_buffer *out, size_t at);
/* Appends a control frame: a close, ping or pong with a payload of up to 125 bytes. False as
 * above. */
bool wm_ws_control_frame(wm_ws_masks *masks, wm_buffer *out, int opcode, const uint8_t *payload, size_t len);
#endif
