#ifndef WM_WS_FRAME_H
#define WM_WS_FRAME_H
#include "base/buffer.h"

/* WebSocket frames of a client (RFC 6455, section 5): one binary frame for each message. Frames are masked
 * in place, eight bytes at a time. */

/* Bytes to leave free in front of a payload whose length is not known yet: the header for lengths from
 * 126 to 65,535. */
#define WM_WS_HEADER_ROOM 8

/* Masking keys from the system's random numbers, a few hundred drawn at a time. Section 5.3 requires
 * them to be unpredictable. */
typedef struct wm_ws_masks {
    uint32_t keys[256];
    uint32_t left;
} wm_ws_masks;

/* Makes a frame of the bytes in `out` from `at` on: WM_WS_HEADER_ROOM free bytes, then the payload. The
 * payload is moved if it needs a header of another size; the frame begins at `at`. False when there are
 * no random numbers or no memory: `out` is cut at `at` then. */
bool wm_ws_frame(wm_ws_masks *masks, wm_buffer *out, size_t at);
/* Appends a control frame: a close, ping or pong with a payload of up to 125 bytes. False as
 * above; `out` is unchanged then. */
bool wm_ws_control_frame(wm_ws_masks *masks, wm_buffer *out, int opcode, const uint8_t *payload, size_t len);
#endif
