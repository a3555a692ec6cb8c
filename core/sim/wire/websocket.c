#include "sim/wire/websocket.h"

#include <string.h>

#include "wire/http_head.h"
#include "wire/ws_handshake.h"

/* The method, the path and whether the line is that of an HTTP request. */
static bool read_request_line(wm_text_span line, sim_ws_request *out)
{
    const char *end = line.p + line.len;
    const char *target = memchr(line.p, ' ', line.len);
    if (target == NULL) return false;
    out->is_get = wm_span_is((wm_text_span){line.p, (size_t)(target - line.p)}, "GET");
    target++;
    const char *version = memchr(target, ' ', (size_t)(end - target));
    if (version == NULL || end - version < 6 || memcmp(version + 1, "HTTP/", 5) != 0) return false;
    const char *query = memchr(target, '?', (size_t)(version - target));
    wm_text_span path = {target, (size_t)((query ? query : version) - target)};
    wm_span_copy(path, out->path, sizeof out->path);
    return true;
}

int sim_ws_parse_request(const uint8_t *bytes, size_t len, sim_ws_request *out)
{
    wm_http_head head;
    wm_text_span value;
    int used = wm_http_head_read(bytes, len, &head);
    *out = (sim_ws_request){0};
    if (used <= 0) return used;
    if (!read_request_line(head.first_line, out)) return -1;
    if (wm_http_header(&head, "Sec-WebSocket-Key", &value)) wm_span_copy(value, out->key, sizeof out->key);
    out->upgrade = out->is_get && out->key[0] != '\0' && wm_http_header_lists(&head, "Upgrade", "websocket") &&
                   wm_http_header_lists(&head, "Connection", "upgrade") &&
                   wm_http_header_lists(&head, "Sec-WebSocket-Version", "13");
    return used;
}

void sim_ws_accept(wm_buffer *out, const char *key)
{
    static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Accept: ";
    char accept[WM_WS_ACCEPT_SIZE];
    wm_ws_accept(key, accept);
    wm_buffer_append(out, head, sizeof head - 1);
    wm_buffer_append(out, accept, strlen(accept));
    wm_buffer_append(out, "\r\n\r\n", 4);
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
