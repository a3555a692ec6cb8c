#include "wire/ws_reader.h"

#include <string.h>

#include "base/utf8.h"

#define CONTROL_MAX 125
/* What an announced length alone makes us reserve at most. */
#define RESERVE_BYTES (4u * 1024 * 1024)
#define NO_CODE 1005

void wm_ws_reader_init_server(wm_ws_reader *r, size_t max_message)
{
    memset(r, 0, sizeof *r);
    r->max_message = max_message;
}

void wm_ws_reader_init_client(wm_ws_reader *r)
{
    memset(r, 0, sizeof *r);
    r->max_message = SIZE_MAX; /* nothing is kept */
    r->is_client = true;
}

void wm_ws_reader_close(wm_ws_reader *r)
{
    wm_buffer_close(&r->message);
}

int wm_ws_close_code(const uint8_t *payload, size_t len)
{
    return len < 2 ? NO_CODE : payload[0] << 8 | payload[1];
}

/* -- headers -- */

/* How long the header is, as far as its first bytes tell. */
static size_t header_size(const wm_ws_reader *r)
{
    if (r->header_len < 2) return 2;
    uint8_t length = r->header[1] & 0x7f;
    return 2 + (length == 126 ? 2u : (length == 127 ? 8u : 0u)) + (r->header[1] & 0x80 ? 4u : 0u);
}

static bool read_header(wm_ws_reader *r, const uint8_t **pos, const uint8_t *end)
{
    while (r->header_len < header_size(r)) {
        if (*pos == end) return false;
        r->header[r->header_len++] = *(*pos)++;
    }
    return true;
}

/* What is wrong with the first two bytes of a header; NULL: nothing. */
static const char *problem_of(const wm_ws_reader *r)
{
    const uint8_t *h = r->header;
    int opcode = h[0] & 0x0f;
    bool fin = h[0] & 0x80, masked = h[1] & 0x80;
    if ((h[0] & 0x70) != 0) return "a WebSocket frame with reserved bits";
    if (masked == r->is_client) return masked ? "a masked WebSocket frame" : "a WebSocket frame without a mask";
    if (opcode >= WM_WS_CLOSE) {
        if (opcode > WM_WS_PONG) return "a WebSocket frame of an unknown kind";
        if (!fin) return "a control frame in fragments";
        return (h[1] & 0x7f) > CONTROL_MAX ? "a control frame of more than 125 bytes" : NULL;
    }
    if (opcode > WM_WS_BINARY) return "a WebSocket frame of an unknown kind";
    if (opcode == WM_WS_CONTINUATION) return r->message_opcode == 0 ? "a continuation frame without a message" : NULL;
    return r->message_opcode != 0 ? "a new message within the fragments of another" : NULL;
}

static uint64_t payload_size(const uint8_t *header)
{
    uint64_t len = header[1] & 0x7f;
    if (len < 126) return len;
    int width = len == 126 ? 2 : 8;
    len = 0;
    for (int i = 0; i < width; i++) len = len << 8 | header[2 + i];
    return len;
}

static void begin_data(wm_ws_reader *r, int opcode, uint64_t len)
{
    if (opcode != WM_WS_CONTINUATION) {
        r->message_opcode = opcode;
        r->skipping = false;
    }
    if (len > r->max_message - r->message.len) r->skipping = true;
    if (r->skipping) wm_buffer_close(&r->message);
}

/* Understands a complete header; what is wrong with it, or NULL. */
static const char *begin_frame(wm_ws_reader *r)
{
    const uint8_t *h = r->header;
    const char *problem = problem_of(r);
    if (problem != NULL) return problem;
    uint64_t len = payload_size(h);
    if (len >> 63) return "a WebSocket frame of more than 2^63 bytes";
    if (!r->is_client) memcpy(r->mask, h + header_size(r) - 4, 4);
    r->frame_opcode = h[0] & 0x0f;
    r->frame_fin = h[0] & 0x80;
    r->payload_left = len;
    r->payload_read = 0;
    r->in_payload = true;
    if (r->frame_opcode >= WM_WS_CLOSE) r->control_len = 0;
    else begin_data(r, r->frame_opcode, len);
    return NULL;
}

/* -- payloads -- */

static void unmask(uint8_t *out, const uint8_t *in, size_t len, const uint8_t mask[4], uint64_t offset)
{
    uint8_t turned[8];
    for (int i = 0; i < 8; i++) turned[i] = mask[(offset + (unsigned)i) & 3];
    uint64_t wide, word;
    memcpy(&wide, turned, 8);
    while (len >= 8) {
        memcpy(&word, in, 8);
        word ^= wide;
        memcpy(out, &word, 8);
        out += 8;
        in += 8;
        len -= 8;
    }
    for (size_t i = 0; i < len; i++) out[i] = in[i] ^ turned[i];
}

static void copy_payload(const wm_ws_reader *r, uint8_t *out, const uint8_t *in, size_t len)
{
    if (!r->is_client) unmask(out, in, len, r->mask, r->payload_read);
    else memcpy(out, in, len);
}

/* Room for the whole frame, so that growing does not copy it again and again. */
static uint8_t *room_in_message(wm_ws_reader *r, size_t n)
{
    uint64_t wanted = r->payload_left < RESERVE_BYTES ? r->payload_left : RESERVE_BYTES;
    return wm_buffer_reserve(&r->message, wanted > n ? (size_t)wanted : n);
}

static void read_payload(wm_ws_reader *r, const uint8_t **pos, const uint8_t *end)
{
    size_t n = (size_t)(end - *pos);
    if (n > r->payload_left) n = (size_t)r->payload_left;
    if (n == 0) return;
    if (r->frame_opcode >= WM_WS_CLOSE) {
        copy_payload(r, r->control + r->control_len, *pos, n);
        r->control_len += (uint8_t)n;
    } else if (!r->skipping) {
        uint8_t *at = room_in_message(r, n);
        if (at != NULL) {
            copy_payload(r, at, *pos, n);
            r->message.len += n;
        } else {
            r->skipping = true;
        }
    }
    *pos += n;
    r->payload_left -= n;
    r->payload_read += n;
}

/* -- what is whole -- */

static wm_ws_found fail(wm_ws_reader *r, int code, const char *problem)
{
    r->close_code = code;
    r->problem = problem;
    return WM_WS_ERROR;
}

/* Section 7.4: below 1000 nothing is defined, three codes are never sent, and from 5000
 * on none is. Between 1016 and 2999 are those that may come to be. */
static bool may_be_sent(int code)
{
    return code >= 1000 && code < 5000 && code != 1005 && code != 1006 && code != 1015;
}

static wm_ws_found found_control(wm_ws_reader *r)
{
    r->opcode = r->frame_opcode;
    r->bytes = r->control;
    r->len = r->control_len;
    if (r->opcode != WM_WS_CLOSE || r->len == 0) return WM_WS_CONTROL;
    if (r->len == 1) return fail(r, WM_WS_CODE_PROTOCOL, "a close frame of one byte");
    if (!may_be_sent(wm_ws_close_code(r->bytes, r->len)))
        return fail(r, WM_WS_CODE_PROTOCOL, "a close frame with a code that must not be sent");
    if (!wm_utf8_valid(r->bytes + 2, r->len - 2)) return fail(r, WM_WS_CODE_TEXT, "a close frame whose reason is not UTF-8");
    return WM_WS_CONTROL;
}

static wm_ws_found found_message(wm_ws_reader *r)
{
    r->opcode = r->message_opcode;
    r->message_opcode = 0;
    r->message_is_out = true;
    r->bytes = r->message.data;
    r->len = r->message.len;
    if (r->skipping) return WM_WS_TOO_BIG;
    if (r->opcode == WM_WS_TEXT && !wm_utf8_valid(r->bytes, r->len))
        return fail(r, WM_WS_CODE_TEXT, "a text message that is not UTF-8");
    return WM_WS_MESSAGE;
}

/* A whole frame was read. NOTHING: it was a fragment. */
static wm_ws_found end_frame(wm_ws_reader *r)
{
    r->in_payload = false;
    r->header_len = 0;
    if (r->frame_opcode >= WM_WS_CLOSE) return found_control(r);
    if (!r->frame_fin) return WM_WS_NOTHING;
    return found_message(r);
}

/* What of a message's frame has come, where it lies. */
static wm_ws_found found_piece(wm_ws_reader *r, const uint8_t **pos, const uint8_t *end)
{
    size_t n = (size_t)(end - *pos);
    if (n > r->payload_left) n = (size_t)r->payload_left;
    if (n == 0 && r->payload_left > 0) return WM_WS_NOTHING;
    r->bytes = *pos;
    r->len = n;
    r->opcode = r->message_opcode;
    *pos += n;
    r->payload_left -= n;
    r->to_come = r->payload_left;
    r->is_last = r->frame_fin && r->payload_left == 0;
    if (r->payload_left == 0) {
        r->in_payload = false;
        r->header_len = 0;
        if (r->frame_fin) r->message_opcode = 0;
    }
    return WM_WS_PIECE;
}

wm_ws_found wm_ws_reader_next(wm_ws_reader *r, const uint8_t **pos, const uint8_t *end)
{
    if (r->message_is_out) {
        wm_buffer_clear(&r->message);
        r->message_is_out = false;
    }
    for (;;) {
        if (!r->in_payload) {
            if (!read_header(r, pos, end)) return WM_WS_NOTHING;
            const char *problem = begin_frame(r);
            if (problem != NULL) return fail(r, WM_WS_CODE_PROTOCOL, problem);
        }
        if (r->is_client && r->frame_opcode < WM_WS_CLOSE) return found_piece(r, pos, end);
        read_payload(r, pos, end);
        if (r->payload_left > 0) return WM_WS_NOTHING;
        wm_ws_found found = end_frame(r);
        if (found != WM_WS_NOTHING) return found;
    }
}
