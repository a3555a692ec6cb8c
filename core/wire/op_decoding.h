#ifndef WM_OP_DECODING_H
#define WM_OP_DECODING_H
#include "wire/op_encoding.h"

/* What an operation says. Points into its bytes, and those of its template. */
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

/* Of bytes as they are sent. False when they are no operation. */
bool wm_op_decode(const uint8_t *bytes, size_t len, wm_op_view *out);
/* Of the `len` bytes that are kept of an operation of the template. */
void wm_op_read_kept(const wm_op_template *t, const uint8_t *kept, size_t len, size_t key_len, wm_op_view *out);
#endif
