#include "oplog/file/entry_writer.h"

#include <errno.h>
#include <string.h>

/* So many seqs are in one entry. */
#define SEQS_MAX (WM_ENTRY_FRAME_BYTES / 2 / sizeof(uint64_t))

bool wm_entry_writer_begin(wm_entry_writer *w)
{
    return wm_log_frame_begin(w->frame) || wm_log_fail_io(w->error, ENOMEM);
}

bool wm_entry_writer_flush(wm_entry_writer *w)
{
    if (w->frame->len == sizeof(wm_log_frame)) return true;
    w->written += w->frame->len;
    if (w->file != NULL && !wm_log_file_append(w->file, w->frame, w->error)) return false;
    if (w->next != NULL && !wm_log_file_append(w->next, w->frame, w->error)) {
        if (w->file == NULL) return false;
        w->next = NULL;
        w->has_next_failed = true;
    }
    return wm_entry_writer_begin(w);
}

uint8_t *wm_entry_writer_reserve(wm_entry_writer *w, uint32_t kind, uint64_t seq, size_t len)
{
    if (w->frame->len + len + WM_OP_ENTRY_HEAD > WM_ENTRY_FRAME_BYTES && !wm_entry_writer_flush(w)) return NULL;
    uint8_t *at = len <= UINT32_MAX ? wm_op_entry_begin(w->frame, kind, seq, (uint32_t)len) : NULL;
    if (at == NULL) wm_log_fail_io(w->error, ENOMEM);
    return at;
}

bool wm_entry_writer_put(wm_entry_writer *w, uint32_t kind, uint64_t seq, const void *bytes, size_t len)
{
    uint8_t *at = wm_entry_writer_reserve(w, kind, seq, len);
    if (at == NULL) return false;
    if (len > 0) memcpy(at, bytes, len);
    return true;
}

bool wm_entry_writer_put_seqs(wm_entry_writer *w, uint32_t kind, const uint64_t *seqs, size_t count)
{
    for (size_t from = 0; from < count; from += SEQS_MAX) {
        size_t part = count - from < SEQS_MAX ? count - from : SEQS_MAX;
        if (!wm_entry_writer_put(w, kind, 0, seqs + from, part * sizeof *seqs)) return false;
    }
    return true;
}

uint64_t wm_entry_writer_size_of_seqs(uint64_t count)
{
    return count * sizeof(uint64_t) + (count + SEQS_MAX - 1) / SEQS_MAX * WM_OP_ENTRY_HEAD;
}
