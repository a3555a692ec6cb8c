#ifndef WM_OP_DECODING_H
#define WM_OP_DECODING_H
#include "hlc.h"

/* What an operation's own bytes say, as op_encoding.h writes them. Points into
 * the bytes. */
typedef struct wm_op_view {
    const char *map_name;
    const char *key;
    const uint8_t *value; /* MessagePack; of a removal: nil */
    size_t map_len;
    size_t key_len;
    size_t value_len;
    bool removed;
    wm_timestamp time;
} wm_op_view;

/* False when the bytes are no such operation. */
bool wm_op_decode(const uint8_t *bytes, size_t len, wm_op_view *out);
#endif
