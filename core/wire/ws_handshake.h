#ifndef WM_WS_HANDSHAKE_H
#define WM_WS_HANDSHAKE_H
#include "base/buffer.h"
#include "wire/http_head.h"

/* The WebSocket upgrade (RFC 6455, section 4) as bytes, without sockets: the client's request, and the
 * check of the answer. */

#define WM_WS_KEY_SIZE 25    /* 16 random bytes in base64, and a 0 */
#define WM_WS_ACCEPT_SIZE 29 /* the SHA-1 of a key and a constant in base64, and a 0 */

/* A new Sec-WebSocket-Key. False when there are no random numbers. */
bool wm_ws_key(char key[WM_WS_KEY_SIZE]);
/* The Sec-WebSocket-Accept that answers a key of any length. */
void wm_ws_accept(const char *key, char accept[WM_WS_ACCEPT_SIZE]);
/* Appends the request. `host` is the Host header. */
void wm_ws_request(wm_buffer *out, const char *path, const char *host, const char *key);
/* Whether the answer to the request with this key accepts the upgrade. If not, `problem` describes the
 * answer, with the server's words escaped: a redirect and its target, a status and its reason, or an
 * upgrade to another protocol. */
bool wm_ws_answer_is_upgrade(const wm_http_head *answer, const char *key, char *problem, size_t size);
#endif
