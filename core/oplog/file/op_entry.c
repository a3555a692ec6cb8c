#include "oplog/file/op_entry.h"

#include <string.h>

void wm_op_counts_write(const wm_op_counts *counts, uint64_t out[2])
{
    out[0] = counts->pending | (uint64_t)counts->acknowledged << 32;
    out[1] = counts->letters;
}

wm_op_counts wm_op_counts_read(const uint64_t counts[2])
{
    return (wm_op_counts){(uint32_t)counts[0], (uint32_t)(counts[0] >> 32), (uint32_t)counts[1]};
}

bool wm_op_entry_next(const uint8_t **at, const uint8_t *end, wm_op_entry *out)
{
    if ((size_t)(end - *at) < WM_OP_ENTRY_HEAD) return false;
    memcpy(&out->kind, *at, 4);
    memcpy(&out->len, *at + 4, 4);
    memcpy(&out->seq, *at + 8, 8);
    out->bytes = *at + WM_OP_ENTRY_HEAD;
    if (out->kind < WM_ENTRY_CLIENT || out->kind > WM_ENTRY_ACKNOWLEDGED) return false;
    if (out->len > (size_t)(end - out->bytes)) return false;
    *at = out->bytes + out->len;
    return true;
}

uint8_t *wm_op_entry_begin(wm_buffer *frame, uint32_t kind, uint64_t seq, uint32_t len)
{
    uint8_t *at = wm_buffer_reserve(frame, WM_OP_ENTRY_HEAD + (size_t)len);
    if (at == NULL) return NULL;
    memcpy(at, &kind, 4);
    memcpy(at + 4, &len, 4);
    memcpy(at + 8, &seq, 8);
    frame->len += WM_OP_ENTRY_HEAD + (size_t)len;
    return at + WM_OP_ENTRY_HEAD;
}
