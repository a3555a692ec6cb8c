#ifndef SIM_WEBSOCKET_H
#define SIM_WEBSOCKET_H
#include "buffer.h"

/* The server's side of RFC 6455 over bytes: the upgrade request and the frames.
 * No sockets here. */

#define SIM_WS_HEAD_MAX 16384 /* bytes of an upgrade request */
#define SIM_WS_KEY_MAX 64
#define SIM_WS_PATH_MAX 256

typedef struct sim_ws_request {
    char path[SIM_WS_PATH_MAX]; /* without the query, cut when longer */
    char key[SIM_WS_KEY_MAX];   /* Sec-WebSocket-Key, "" when there was none */
    bool upgrade;               /* a well-formed WebSocket request of version 13 */
    bool is_get;
} sim_ws_request;

/* Reads an HTTP request head. The bytes it takes; 0 when it is not complete
 * yet; -1 when it is no HTTP request or longer than SIM_WS_HEAD_MAX. */
int sim_ws_parse_request(const uint8_t *bytes, size_t len, sim_ws_request *out);
/* Appends the 101 answer for the key. */
void sim_ws_accept(wm_buffer *out, const char *key);

/* Opcodes. */
enum {
    SIM_WS_CONTINUATION = 0,
    SIM_WS_TEXT = 1,
    SIM_WS_BINARY = 2,
    SIM_WS_CLOSE = 8,
    SIM_WS_PING = 9,
    SIM_WS_PONG = 10,
};

/* What sim_ws_next found. */
typedef enum sim_ws_found {
    SIM_WS_NOTHING, /* all input was taken; more is needed */
    SIM_WS_MESSAGE, /* one whole message, fragments joined */
    SIM_WS_CONTROL, /* one ping, pong or close frame */
    SIM_WS_TOO_BIG, /* a message above max_message; its bytes are skipped */
    SIM_WS_ERROR,   /* not the protocol: close with .close_code */
} sim_ws_found;

/* A parser of the masked frames that clients send. The members from `bytes` on
 * describe what was found last and hold until the next call. */
typedef struct sim_ws_parser {
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
    bool in_payload;
    bool frame_fin;
    bool skipping;       /* the open message is too big */
    bool message_is_out; /* `message` was handed out: clear it first */

    const uint8_t *bytes;
    size_t len;
    int opcode;
    int close_code;
} sim_ws_parser;

void sim_ws_parser_init(sim_ws_parser *p, size_t max_message);
void sim_ws_parser_close(sim_ws_parser *p);
/* Reads on from *pos; moves *pos. Call again until SIM_WS_NOTHING. After
 * SIM_WS_ERROR the parser must not be used any more. */
sim_ws_found sim_ws_next(sim_ws_parser *p, const uint8_t **pos, const uint8_t *end);

/* Writes a server frame's header for `len` payload bytes; its length. */
size_t sim_ws_header(uint8_t out[10], int opcode, uint64_t len);
#endif
