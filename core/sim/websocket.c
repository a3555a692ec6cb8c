#include "websocket.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "utf8.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define SHA1_BYTES 20
#define CONTROL_MAX 125
#define PROTOCOL_ERROR 1002
#define BAD_TEXT 1007

/* -- handshake -- */

typedef struct span {
    const char *p;
    size_t len;
} span;

static span trimmed(const char *p, const char *end)
{
    while (p != end && (*p == ' ' || *p == '\t')) p++;
    while (p != end && (end[-1] == ' ' || end[-1] == '\t')) end--;
    return (span){p, (size_t)(end - p)};
}

static bool same(span s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

/* Whether a comma-separated header value has this element. */
static bool lists(span s, const char *text)
{
    const char *p = s.p, *end = s.p + s.len;
    while (p != end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        if (same(trimmed(p, comma ? comma : end), text)) return true;
        p = comma ? comma + 1 : end;
    }
    return false;
}

static void copy(char *out, size_t size, const char *p, size_t len)
{
    if (len > size - 1) len = size - 1;
    memcpy(out, p, len);
    out[len] = '\0';
}

static bool parse_request_line(const char *p, const char *end, sim_ws_request *out)
{
    const char *target = memchr(p, ' ', (size_t)(end - p));
    if (target == NULL) return false;
    out->is_get = same((span){p, (size_t)(target - p)}, "GET");
    target++;
    const char *version = memchr(target, ' ', (size_t)(end - target));
    if (version == NULL || end - version < 6 || memcmp(version + 1, "HTTP/", 5) != 0) return false;
    const char *query = memchr(target, '?', (size_t)(version - target));
    copy(out->path, sizeof out->path, target, (size_t)((query ? query : version) - target));
    return true;
}

int sim_ws_parse_request(const uint8_t *bytes, size_t len, sim_ws_request *out)
{
    size_t look = len < SIM_WS_HEAD_MAX ? len : SIM_WS_HEAD_MAX;
    const uint8_t *stop = memmem(bytes, look, "\r\n\r\n", 4);
    if (stop == NULL) return len < SIM_WS_HEAD_MAX ? 0 : -1;

    const char *p = (const char *)bytes, *end = (const char *)stop + 2;
    const char *line_end = memmem(p, (size_t)(end - p), "\r\n", 2);
    bool upgrade = false, connection = false, version = false;
    *out = (sim_ws_request){0};
    if (!parse_request_line(p, line_end, out)) return -1;
    for (p = line_end + 2; p < end; p = line_end + 2) {
        line_end = memmem(p, (size_t)(end - p), "\r\n", 2);
        const char *colon = memchr(p, ':', (size_t)(line_end - p));
        if (colon == NULL) return -1;
        span name = trimmed(p, colon), value = trimmed(colon + 1, line_end);
        if (same(name, "Upgrade")) upgrade = lists(value, "websocket");
        else if (same(name, "Connection")) connection = lists(value, "upgrade");
        else if (same(name, "Sec-WebSocket-Version")) version = same(value, "13");
        else if (same(name, "Sec-WebSocket-Key")) copy(out->key, sizeof out->key, value.p, value.len);
    }
    out->upgrade = out->is_get && upgrade && connection && version && out->key[0] != '\0';
    return (int)(stop + 4 - bytes);
}

void sim_ws_accept(wm_buffer *out, const char *key)
{
    char text[SIM_WS_KEY_MAX + sizeof GUID];
    uint8_t digest[EVP_MAX_MD_SIZE], encoded[SHA1_BYTES * 2];
    int n = snprintf(text, sizeof text, "%s" GUID, key);
    EVP_Digest(text, (size_t)n, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock(encoded, digest, SHA1_BYTES);

    static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Accept: ";
    wm_buffer_append(out, head, sizeof head - 1);
    wm_buffer_append(out, encoded, strlen((char *)encoded));
    wm_buffer_append(out, "\r\n\r\n", 4);
}

/* -- frames -- */

void sim_ws_parser_init(sim_ws_parser *p, size_t max_message)
{
    memset(p, 0, sizeof *p);
    p->max_message = max_message;
}

void sim_ws_parser_close(sim_ws_parser *p)
{
    wm_buffer_close(&p->message);
}

static sim_ws_found fail(sim_ws_parser *p, int code)
{
    p->close_code = code;
    return SIM_WS_ERROR;
}

/* How long the header is, as far as its first bytes tell. */
static size_t header_size(const sim_ws_parser *p)
{
    if (p->header_len < 2) return 2;
    uint8_t length = p->header[1] & 0x7f;
    return 2 + (length == 126 ? 2u : length == 127 ? 8u : 0u) + 4;
}

static bool read_header(sim_ws_parser *p, const uint8_t **pos, const uint8_t *end)
{
    while (p->header_len < header_size(p)) {
        if (*pos == end) return false;
        p->header[p->header_len++] = *(*pos)++;
    }
    return true;
}

static bool opcode_fits(const sim_ws_parser *p, int opcode)
{
    if (opcode == SIM_WS_CONTINUATION) return p->message_opcode != 0;
    return (opcode == SIM_WS_TEXT || opcode == SIM_WS_BINARY) && p->message_opcode == 0;
}

/* Understands a complete header; false when it breaks the protocol. */
static bool begin_frame(sim_ws_parser *p)
{
    const uint8_t *h = p->header;
    uint64_t len = h[1] & 0x7f;
    int opcode = h[0] & 0x0f;
    bool fin = h[0] & 0x80;
    if ((h[0] & 0x70) != 0 || (h[1] & 0x80) == 0) return false;
    if (opcode >= SIM_WS_CLOSE) {
        if (opcode > SIM_WS_PONG || !fin || len > CONTROL_MAX) return false;
        p->control_len = 0;
    } else if (!opcode_fits(p, opcode)) {
        return false;
    }
    if (len >= 126) {
        int width = len == 126 ? 2 : 8;
        len = 0;
        for (int i = 0; i < width; i++) len = len << 8 | h[2 + i];
        if (len >> 63) return false;
    }
    memcpy(p->mask, h + header_size(p) - 4, 4);
    if (opcode < SIM_WS_CLOSE) {
        if (opcode != SIM_WS_CONTINUATION) {
            p->message_opcode = opcode;
            p->skipping = false;
        }
        if (len > p->max_message - p->message.len) p->skipping = true;
    }
    p->frame_opcode = opcode;
    p->frame_fin = fin;
    p->payload_left = len;
    p->payload_read = 0;
    p->in_payload = true;
    return true;
}

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

static void read_payload(sim_ws_parser *p, const uint8_t **pos, const uint8_t *end)
{
    size_t n = (size_t)(end - *pos);
    if (n > p->payload_left) n = (size_t)p->payload_left;
    if (p->frame_opcode >= SIM_WS_CLOSE) {
        unmask(p->control + p->control_len, *pos, n, p->mask, p->payload_read);
        p->control_len += (uint8_t)n;
    } else if (!p->skipping) {
        uint8_t *at = wm_buffer_reserve(&p->message, n);
        if (at != NULL) {
            unmask(at, *pos, n, p->mask, p->payload_read);
            p->message.len += n;
        } else {
            p->skipping = true;
        }
    }
    *pos += n;
    p->payload_left -= n;
    p->payload_read += n;
}

/* A whole frame was read. NOTHING: it was a fragment. */
static sim_ws_found end_frame(sim_ws_parser *p)
{
    p->in_payload = false;
    p->header_len = 0;
    if (p->frame_opcode >= SIM_WS_CLOSE) {
        if (p->frame_opcode == SIM_WS_CLOSE && p->control_len == 1) return fail(p, PROTOCOL_ERROR);
        p->opcode = p->frame_opcode;
        p->bytes = p->control;
        p->len = p->control_len;
        return SIM_WS_CONTROL;
    }
    if (!p->frame_fin) return SIM_WS_NOTHING;

    p->opcode = p->message_opcode;
    p->message_opcode = 0;
    p->message_is_out = true;
    p->bytes = p->message.data;
    p->len = p->message.len;
    if (p->skipping) return SIM_WS_TOO_BIG;
    if (p->opcode == SIM_WS_TEXT && !wm_utf8_valid(p->bytes, p->len)) return fail(p, BAD_TEXT);
    return SIM_WS_MESSAGE;
}

sim_ws_found sim_ws_next(sim_ws_parser *p, const uint8_t **pos, const uint8_t *end)
{
    if (p->message_is_out) {
        wm_buffer_clear(&p->message);
        p->message_is_out = false;
    }
    for (;;) {
        if (!p->in_payload) {
            if (!read_header(p, pos, end)) return SIM_WS_NOTHING;
            if (!begin_frame(p)) return fail(p, PROTOCOL_ERROR);
        }
        read_payload(p, pos, end);
        if (p->payload_left > 0) return SIM_WS_NOTHING;
        sim_ws_found found = end_frame(p);
        if (found != SIM_WS_NOTHING) return found;
    }
}

size_t sim_ws_header(uint8_t out[10], int opcode, uint64_t len)
{
    out[0] = (uint8_t)(0x80 | opcode);
    if (len < 126) {
        out[1] = (uint8_t)len;
        return 2;
    }
    int width = len <= UINT16_MAX ? 2 : 8;
    out[1] = width == 2 ? 126 : 127;
    for (int i = width; i > 0; i--) {
        out[1 + i] = (uint8_t)len;
        len >>= 8;
    }
    return 2 + (size_t)width;
}
