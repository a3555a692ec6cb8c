/* Any bytes as a message that comes in pieces, under a limit: one within it is handed over
 * as it is, and of one beyond it the skim says what wm_message_parse says of the whole. */
#include <string.h>

#include "fuzz/require.h"
#include "wire/intake.h"
#include "wire/skim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct heard {
    const uint8_t *bytes;
    size_t len;
    int messages, too_large;
    bool is_same;
    wm_message expected;
} heard;

static int on_message(void *user, const uint8_t *bytes, size_t len, bool text, wm_buffer *whole)
{
    heard *h = user;
    (void)text;
    (void)whole;
    h->messages++;
    h->is_same = len == h->len && (len == 0 || memcmp(bytes, h->bytes, len) == 0);
    return 0;
}

static int on_too_large(void *user, const uint8_t *description, size_t len)
{
    heard *h = user;
    wm_message m;
    h->too_large++;
    REQUIRE(wm_message_parse(description, len, &m) == 0);
    if (h->expected.type_name == NULL || h->too_large > 1) return 0;
    h->is_same = m.type == h->expected.type && m.type_name_len == h->expected.type_name_len &&
                 memcmp(m.type_name, h->expected.type_name, m.type_name_len) == 0;
    for (int i = 0; i < WM_MESSAGE_NAME_COUNT; i++) {
        const wm_message_name *said = &m.names[i], *is = &h->expected.names[i];
        if (is->text == NULL || is->len > WM_SKIM_NAME_MAX) REQUIRE(said->text == NULL);
        else REQUIRE(said->text != NULL && said->len == is->len && memcmp(said->text, is->text, is->len) == 0);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    static const wm_intake_handlers handlers = {on_message, on_too_large};
    size_t limit = data[0], piece = 1 + data[1] % 37;
    bool announces = data[1] & 0x80;
    heard h = {.bytes = data + 2, .len = size - 2};
    int parsed = wm_message_parse(h.bytes, h.len, &h.expected);
    bool is_batch = parsed == 0 && h.expected.type == WM_TYPE_BATCH;
    if (parsed < 0 || is_batch) h.expected.type_name = NULL;
    wm_intake *in = wm_intake_new(limit, &handlers, &h);
    REQUIRE(in != NULL);
    int rc = 0;
    for (size_t at = 0; rc == 0 && (at < h.len || at == 0); at += piece) {
        size_t n = h.len - at < piece ? h.len - at : piece;
        rc = wm_intake_put(in, h.bytes + at, n, announces ? h.len - at - n : 0, at + n == h.len, false);
        if (h.len == 0) break;
    }
    REQUIRE(!wm_intake_is_busy(in));
    wm_intake_free(in);
    if (h.len <= limit) REQUIRE(rc == 0 && h.messages == 1 && h.is_same);
    else if (parsed < 0) REQUIRE(rc < 0 || h.messages + h.too_large > 0);
    else if (!is_batch && h.expected.type_name_len <= WM_SKIM_NAME_MAX) REQUIRE(rc == 0 && h.too_large == 1 && h.is_same);
    return 0;
}
