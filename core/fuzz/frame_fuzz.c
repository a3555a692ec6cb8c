/* Any bytes as a frame, and as the data of a BATCH: what is taken for a
 * message is one, and points into the frame. */
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)         \
    do {                           \
        if (!(condition)) abort(); \
    } while (0)

typedef struct outer {
    const uint8_t *frame;
    size_t len;
    size_t seen;
    size_t stop_after;
} outer;

static void require_inside(const void *span, size_t span_len, const uint8_t *frame, size_t len)
{
    const uint8_t *at = span;
    REQUIRE(at >= frame && span_len <= len && (size_t)(at - frame) <= len - span_len);
}

static bool check_message(const uint8_t *frame, size_t len)
{
    wm_message m;
    if (wm_message_parse(frame, len, &m) < 0) return false;
    REQUIRE(m.body == frame && m.body_len == len);
    require_inside(m.type_name, m.type_name_len, frame, len);
    if (m.payload != NULL) {
        require_inside(m.payload, m.payload_len, frame, len);
        wm_mp_reader r;
        wm_mp_reader_init(&r, m.payload, m.payload_len);
        REQUIRE(wm_mp_skip(&r) == WM_MP_OK && r.pos == r.end);
    }
    wm_mp_reader r;
    wm_mp_reader_init(&r, frame, len);
    REQUIRE(wm_mp_skip(&r) == WM_MP_OK && r.pos == r.end);
    return true;
}

static int each(void *user, const uint8_t *frame, size_t len)
{
    outer *o = user;
    wm_message m;
    require_inside(frame, len, o->frame, o->len);
    REQUIRE(check_message(frame, len));
    REQUIRE(wm_message_parse(frame, len, &m) == 0 && m.type != WM_TYPE_BATCH);
    return ++o->seen == o->stop_after ? -100 : 0;
}

static void check_frame(const uint8_t *frame, size_t len)
{
    outer o = {.frame = frame, .len = len};
    bool parsed = check_message(frame, len);
    int rc = wm_message_unbatch(frame, len, each, &o);
    REQUIRE(rc <= 0 && (parsed || rc < 0));
    REQUIRE(wm_message_error_text(rc) != NULL);
    if (o.seen < 2) return;

    o.stop_after = o.seen - 1;
    o.seen = 0;
    REQUIRE(wm_message_unbatch(frame, len, each, &o) == -100 && o.seen == o.stop_after);
}

static void check_as_envelope(const uint8_t *data, size_t size)
{
    wm_buffer b;
    wm_buffer_init(&b);
    wm_mp_write_map(&b, 2);
    wm_mp_write_cstr(&b, "type");
    wm_mp_write_cstr(&b, "BATCH");
    wm_mp_write_cstr(&b, "data");
    wm_mp_write_bin(&b, data, size);
    if (!b.failed) check_frame(b.data, b.len);
    wm_buffer_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_frame(data, size);
    check_as_envelope(data, size);
    return 0;
}
