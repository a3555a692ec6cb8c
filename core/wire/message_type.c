#include "wire/message_type.h"

#include <string.h>

#include "base/msgpack.h"

static const struct {
    const char *text;
    size_t len;
} names[] = {
    {"", 0},
#define X(name) {#name, sizeof #name - 1},
    WM_MESSAGE_TYPES(X)
#undef X
};

wm_message_type wm_message_type_of(const char *name, size_t len)
{
    for (int type = WM_TYPE_OTHER + 1; type < WM_MESSAGE_TYPE_COUNT; type++)
        if (names[type].len == len && memcmp(names[type].text, name, len) == 0) return (wm_message_type)type;
    return WM_TYPE_OTHER;
}

const char *wm_message_type_name(wm_message_type type)
{
    return names[type].text;
}

void wm_message_write_type(wm_buffer *out, wm_message_type type)
{
    wm_mp_write_cstr(out, "type");
    wm_mp_write_str(out, names[type].text, names[type].len);
}
