#ifndef WM_WS_READER_H
#define WM_WS_READER_H
#include "base/buffer.h"

/* Reads WebSocket frames (RFC 6455, section 5) from bytes that it is given, without sockets. A server's
 * reader reads masked frames and joins them to whole messages. A client's reader returns the pieces of
 * messages where they lie in the input. */

/* Opcodes. */
enum {
    WM_WS_CONTINUATION = 0,
    WM_WS_TEXT = 1,
    WM_WS_BINARY = 2,
    WM_WS_CLOSE = 8,
    WM_WS_PING = 9,
    WM_WS_PONG = 10,
};

/* Close codes that a reader asks for. */
enum {
    WM_WS_CODE_PROTOCOL = 1002,
    WM_WS_CODE_TEXT = 1007,
};

/* What wm_ws_reader_next found. */
typedef enum wm_ws_found {
    WM_WS_NOTHING, /* all input was read; more is needed */
    WM_WS_MESSAGE, /* a server's reader: one whole message, fragments joined */
    WM_WS_PIECE,   /* a client's reader: bytes of a message; see to_come and is_last */
    WM_WS_CONTROL, /* one ping, pong or close frame */
    WM_WS_TOO_BIG, /* the end of a message above max_message; its bytes were skipped */
    WM_WS_ERROR,   /* a violation of the protocol: close with .close_code */
} wm_ws_found;

/* The members from `bytes` on describe what was found last. `bytes` is valid until the next call; of a
 * client's reader as long as the input. */
typedef struct wm_ws_reader {
    wm_buffer message; /* the fragments so far */
    uint8_t header[14];
    uint8_t header_len;
    uint8_t mask[4];
    uint8_t control[125];
    uint8_t control_len;
    uint64_t payload_left; /* of the frame being read */
    uint64_t payload_read;
    size_t max_message;
    int frame_opcode;
    int message_opcode; /* 0: no message is open */
    bool is_client;     /* reads unmasked frames and returns pieces */
    bool in_payload;
    bool frame_fin;
    bool skipping;       /* the open message is above max_message */
    bool message_is_out; /* `message` was returned: clear it first */

    const uint8_t *bytes;
    size_t len;
    int opcode;
    uint64_t to_come; /* bytes of this frame behind the piece */
    bool is_last;     /* the piece ends its message */
    int close_code;
    const char *problem; /* after WM_WS_ERROR: what was wrong; static */
} wm_ws_reader;

/* `max_message`: the most bytes of a message that are kept; larger ones are skipped (WM_WS_TOO_BIG). */
void wm_ws_reader_init_server(wm_ws_reader *r, size_t max_message);
void wm_ws_reader_init_client(wm_ws_reader *r);
void wm_ws_reader_close(wm_ws_reader *r);
/* Reads from *pos, which moves, to `end`. Call it until it returns WM_WS_NOTHING. After WM_WS_ERROR the
 * reader must not be used. */
wm_ws_found wm_ws_reader_next(wm_ws_reader *r, const uint8_t **pos, const uint8_t *end);

/* The code of a close frame's payload: 1005 when it has none (section 7.1.5). */
int wm_ws_close_code(const uint8_t *payload, size_t len);
#endif
