/* Any bytes as what a client sends to the simulated server: the head of a request,
 * and frames. What is found does not depend on how the bytes are cut, stays within
 * the limit, and is what RFC 6455 allows.
 *
 * Input: one byte, how many bytes arrive at a time (0: all); the rest arrives. */
#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) \
    do {                   \
        if (!(condition)) abort(); \
    } while (0)

#define MAX_MESSAGE 300u

static void check_found(const wm_ws_reader *p, wm_ws_found found)
{
    if (found == WM_WS_MESSAGE) {
        REQUIRE(p->len <= MAX_MESSAGE && (p->opcode == WM_WS_TEXT || p->opcode == WM_WS_BINARY));
        REQUIRE(p->opcode != WM_WS_TEXT || wm_utf8_valid(p->bytes, p->len));
    } else if (found == WM_WS_CONTROL) {
        REQUIRE(p->len <= 125 && p->opcode >= WM_WS_CLOSE && p->opcode <= WM_WS_PONG);
        REQUIRE(p->opcode != WM_WS_CLOSE || p->len != 1);
    } else if (found == WM_WS_ERROR) {
        REQUIRE(p->close_code == 1002 || p->close_code == 1007);
    }
}

/* Writes down everything that is found, in pieces of `step` bytes. */
static void read_all(const uint8_t *data, size_t size, size_t step, wm_buffer *out)
{
    wm_ws_reader p;
    wm_ws_found found = WM_WS_NOTHING;
    wm_ws_reader_init_server(&p, MAX_MESSAGE);
    for (size_t at = 0; at < size && found != WM_WS_ERROR; at += step) {
        const uint8_t *pos = data + at, *end = size - at < step ? data + size : pos + step;
        while ((found = wm_ws_reader_next(&p, &pos, end)) != WM_WS_NOTHING) {
            check_found(&p, found);
            uint8_t what[] = {(uint8_t)found, (uint8_t)p.opcode, (uint8_t)p.len, (uint8_t)(p.len >> 8)};
            wm_buffer_append(out, what, found == WM_WS_ERROR ? 1 : sizeof what);
            if (found == WM_WS_ERROR) break;
            if (found != WM_WS_TOO_BIG) wm_buffer_append(out, p.bytes, p.len);
        }
        REQUIRE(found == WM_WS_ERROR || pos == end);
        REQUIRE(p.message.len <= MAX_MESSAGE);
    }
    wm_ws_reader_close(&p);
}

static void check_request(const uint8_t *data, size_t size)
{
    sim_ws_request request;
    int used = sim_ws_parse_request(data, size, &request);
    REQUIRE(used >= -1 && used <= (int)size && used <= WM_HTTP_HEAD_MAX);
    if (used <= 0) return;
    REQUIRE(strlen(request.path) < sizeof request.path && strlen(request.key) < sizeof request.key);
    REQUIRE(!request.upgrade || (request.is_get && request.key[0] != '\0'));
    wm_buffer answer;
    wm_buffer_init(&answer);
    sim_ws_accept(&answer, request.key);
    REQUIRE(!answer.failed && answer.len > 4 && memcmp(answer.data + answer.len - 4, "\r\n\r\n", 4) == 0);
    wm_buffer_close(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    size_t step = data[0] ? data[0] : size;
    wm_buffer whole, pieces;
    wm_buffer_init(&whole);
    wm_buffer_init(&pieces);
    read_all(data + 1, size - 1, size, &whole);
    read_all(data + 1, size - 1, step, &pieces);
    REQUIRE(whole.len == pieces.len && (whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0));
    wm_buffer_close(&whole);
    wm_buffer_close(&pieces);
    check_request(data + 1, size - 1);
    return 0;
}
