#ifndef WM_OP_DECODING_H
#define WM_OP_DECODING_H
#include "wire/op_encoding.h"

/* The content of an operation. Points into its bytes, and into those of its template. */
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

/* Decodes an operation from its bytes as sent. False when they are no operation. */
bool wm_op_decode(const uint8_t *bytes, size_t len, wm_op_view *out);
/* Decodes an operation of the template from its `len` kept bytes. */
void wm_op_read_kept(const wm_op_template *t, const uint8_t *kept, size_t len, size_t key_len, wm_op_view *out);
#endif
