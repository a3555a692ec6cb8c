#ifndef SIM_WEBSOCKET_H
#define SIM_WEBSOCKET_H
#include "base/buffer.h"

/* The server's side of the WebSocket upgrade, and the frames that it writes, as bytes.
 * Those that it reads: wm_ws_reader. No sockets here. */

#define SIM_WS_KEY_MAX 64
#define SIM_WS_PATH_MAX 256

typedef struct sim_ws_request {
    char path[SIM_WS_PATH_MAX]; /* without the query, cut when longer */
    char key[SIM_WS_KEY_MAX];   /* Sec-WebSocket-Key, "" when there was none */
    bool upgrade;               /* a well-formed WebSocket request of version 13 */
    bool is_get;
} sim_ws_request;

/* Reads an HTTP request head. The bytes it takes; 0 when it is not complete
 * yet; -1 when it is no HTTP request or longer than WM_HTTP_HEAD_MAX. */
int sim_ws_parse_request(const uint8_t *bytes, size_t len, sim_ws_request *out);
/* Appends the 101 answer for the key. */
void sim_ws_accept(wm_buffer *out, const char *key);

/* Writes a server frame's header for `len` payload bytes; its length. */
size_t sim_ws_header(uint8_t out[10], int opcode, uint64_t len);
#endif
