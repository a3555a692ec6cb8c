#ifndef WM_JWT_H
#define WM_JWT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* JSON web tokens with HS256, for the simulated cluster and for tests. */

/* Signs `payload_json` with `secret`. Writes the token and a NUL to `out`;
 * returns its length, or 0 when `size` is too small. */
size_t wm_jwt_sign(const char *payload_json, const char *secret, char *out, size_t size);
/* Verifies a token. NULL when it is well-formed HS256, its signature is right and `exp`, if present, is
 * after `now_s` (Unix seconds); else the reason in the words of the 0.11 server ("jwt malformed",
 * "invalid signature", "jwt expired", ...), a static text. If `payload` is not NULL, the payload JSON and
 * a NUL are written to its `size` bytes. */
const char *wm_jwt_verify(const char *token, size_t len, const char *secret, int64_t now_s, char *payload, size_t size);
#endif
