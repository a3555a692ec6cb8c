#include "wire/ws_handshake.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_BYTES 16
#define SHA1_BYTES 20
#define KEY_TEXT_MAX 128 /* of another side's key */
#define WORDS_MAX 200    /* of a server's words */

bool wm_ws_key(char key[WM_WS_KEY_SIZE])
{
    uint8_t bytes[KEY_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return false;
    EVP_EncodeBlock((uint8_t *)key, bytes, KEY_BYTES);
    return true;
}

void wm_ws_accept(const char *key, char accept[WM_WS_ACCEPT_SIZE])
{
    char text[KEY_TEXT_MAX + sizeof GUID];
    uint8_t digest[EVP_MAX_MD_SIZE];
    int n = snprintf(text, sizeof text, "%.*s" GUID, KEY_TEXT_MAX, key);
    EVP_Digest(text, (size_t)n, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((uint8_t *)accept, digest, SHA1_BYTES);
}

static void append_text(wm_buffer *out, const char *text)
{
    wm_buffer_append(out, text, strlen(text));
}

void wm_ws_request(wm_buffer *out, const char *path, const char *host, const char *key)
{
    append_text(out, "GET ");
    append_text(out, path[0] == '/' ? "" : "/");
    append_text(out, path);
    append_text(out, " HTTP/1.1\r\nHost: ");
    append_text(out, host);
    append_text(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
    append_text(out, key);
    append_text(out, "\r\n\r\n");
}

/* Without its query and fragment, which may repeat those of the request, with a token in them. */
static wm_text_span without_query(wm_text_span url)
{
    for (size_t i = 0; i < url.len; i++)
        if (url.p[i] == '?' || url.p[i] == '#') return (wm_text_span){url.p, i};
    return url;
}

/* What an answer other than 101 is. */
static void describe(const wm_http_head *answer, int status, wm_text_span reason, char *problem, size_t size)
{
    char words[WORDS_MAX];
    wm_text_span location;
    if (status >= 300 && status < 400 && wm_http_header(answer, "Location", &location)) {
        wm_text_span shown = without_query(location);
        wm_span_escape(shown, words, sizeof words);
        snprintf(problem, size, "HTTP %d: a redirect to %s%s, which is not followed", status, words,
                 shown.len < location.len ? "?***" : "");
        return;
    }
    wm_span_escape(reason, words, sizeof words);
    snprintf(problem, size, "HTTP %d%s%s", status, words[0] ? " " : "", words);
}

bool wm_ws_answer_is_upgrade(const wm_http_head *answer, const char *key, char *problem, size_t size)
{
    char accept[WM_WS_ACCEPT_SIZE];
    wm_text_span reason, value;
    int status = wm_http_status(answer, &reason);
    wm_ws_accept(key, accept);
    if (status < 0) snprintf(problem, size, "the answer is not HTTP");
    else if (status != 101) describe(answer, status, reason, problem, size);
    else if (!wm_http_header_lists(answer, "Upgrade", "websocket") || !wm_http_header_lists(answer, "Connection", "upgrade"))
        snprintf(problem, size, "HTTP 101, but no upgrade to a WebSocket");
    else if (!wm_http_header(answer, "Sec-WebSocket-Accept", &value) || value.len != strlen(accept) ||
             memcmp(value.p, accept, value.len) != 0)
        snprintf(problem, size, "HTTP 101 with a wrong Sec-WebSocket-Accept");
    else if (wm_http_header(answer, "Sec-WebSocket-Extensions", &value) && value.len > 0)
        snprintf(problem, size, "HTTP 101 with an extension that was not asked for");
    else if (wm_http_header(answer, "Sec-WebSocket-Protocol", &value) && value.len > 0)
        snprintf(problem, size, "HTTP 101 with a subprotocol that was not asked for");
    else return true;
    return false;
}
