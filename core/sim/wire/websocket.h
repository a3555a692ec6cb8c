#ifndef SIM_WEBSOCKET_H
#define SIM_WEBSOCKET_H
#include "base/buffer.h"

/* The server's side of WebSocket, without sockets: the upgrade, and headers of frames to write.
 * wm_ws_reader reads frames. */

#define SIM_WS_KEY_MAX 64
#define SIM_WS_PATH_MAX 256

typedef struct sim_ws_request {
    char path[SIM_WS_PATH_MAX]; /* without the query, cut when longer */
    char key[SIM_WS_KEY_MAX];   /* Sec-WebSocket-Key, "" when there was none */
    bool upgrade;               /* a well-formed WebSocket request of version 13 */
    bool is_get;
} sim_ws_request;

/* Parses the head of an HTTP request. Returns its length in bytes; 0 while it is incomplete; -1 when
 * it is no HTTP request or longer than WM_HTTP_HEAD_MAX. */
int sim_ws_parse_request(const uint8_t *bytes, size_t len, sim_ws_request *out);
/* Appends the 101 response for the client's key, a C string. */
void sim_ws_accept(wm_buffer *out, const char *key);

/* Writes the header of a frame with `len` payload bytes, final and not masked. Returns its length:
 * 2, 4 or 10. */
size_t sim_ws_header(uint8_t out[10], int opcode, uint64_t len);
#endif
