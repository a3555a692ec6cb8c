/* Any bytes as what the other side of a connection sends: the head of a request or of an
 * answer, and frames, of a client to the simulated server and of a server to us. What is found does not depend on how the bytes are cut, stays within
 * the limit, and is what RFC 6455 allows.
 *
 * Input: one byte, how many bytes arrive at a time (0: all); the rest arrives. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "sim/wire/websocket.h"
#include "wire/ws_handshake.h"
#include "wire/ws_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)         \
    do {                           \
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

/* The same for what a server sends: the pieces of a message as one, so that it does not matter
 * where they are cut. */
static void read_pieces(const uint8_t *data, size_t size, size_t step, wm_buffer *out)
{
    wm_ws_reader r;
    wm_ws_found found = WM_WS_NOTHING;
    wm_ws_reader_init_client(&r);
    for (size_t at = 0; at < size && found != WM_WS_ERROR; at += step) {
        const uint8_t *pos = data + at, *end = size - at < step ? data + size : pos + step;
        while ((found = wm_ws_reader_next(&r, &pos, end)) != WM_WS_NOTHING) {
            REQUIRE(found == WM_WS_PIECE || found == WM_WS_CONTROL || found == WM_WS_ERROR);
            if (found == WM_WS_ERROR) break;
            REQUIRE(found == WM_WS_CONTROL || (r.bytes >= data && r.bytes + r.len <= pos));
            wm_buffer_append(out, r.bytes, r.len);
            if (found == WM_WS_PIECE && !r.is_last) continue;
            uint8_t what[] = {(uint8_t)found, (uint8_t)r.opcode};
            wm_buffer_append(out, what, sizeof what);
        }
        if (found == WM_WS_ERROR) REQUIRE(r.problem != NULL && (r.close_code == 1002 || r.close_code == 1007));
        else REQUIRE(pos == end);
        REQUIRE(r.message.len == 0);
    }
    wm_ws_reader_close(&r);
}

static void check_answer(const uint8_t *data, size_t size)
{
    wm_http_head head;
    char key[WM_WS_KEY_SIZE], problem[160];
    int used = wm_http_head_read(data, size, &head);
    REQUIRE(used >= -1 && used <= (int)size && used <= WM_HTTP_HEAD_MAX);
    if (used <= 0 || !wm_ws_key(key)) return;
    REQUIRE(!wm_ws_answer_is_upgrade(&head, key, problem, sizeof problem)); /* nobody knew the key */
    for (const char *p = problem; *p != 0; p++) REQUIRE(*p >= 0x20 && *p < 0x7f);
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

typedef void (*reading)(const uint8_t *data, size_t size, size_t step, wm_buffer *out);

static void check_cuts(reading read, const uint8_t *data, size_t size, size_t step)
{
    wm_buffer whole, pieces;
    wm_buffer_init(&whole);
    wm_buffer_init(&pieces);
    read(data, size, size + 1, &whole);
    read(data, size, step, &pieces);
    REQUIRE(whole.len == pieces.len && (whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0));
    wm_buffer_close(&whole);
    wm_buffer_close(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    size_t step = data[0] ? data[0] : size;
    check_cuts(read_all, data + 1, size - 1, step);
    check_cuts(read_pieces, data + 1, size - 1, step);
    check_request(data + 1, size - 1);
    check_answer(data + 1, size - 1);
    return 0;
}
