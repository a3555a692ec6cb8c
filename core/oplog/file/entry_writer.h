#ifndef WM_ENTRY_WRITER_H
#define WM_ENTRY_WRITER_H
#include "oplog/file/op_entry.h"

/* What one frame holds at most, a larger operation apart: so much is lost with one damaged byte. */
#define WM_ENTRY_FRAME_BYTES (64u * 1024u)

/* Writes entries, in frames, to an op log's file, to the one that is to take its place, or to both. Begin with
 * the first four fields. */
typedef struct wm_entry_writer {
    wm_buffer *frame;     /* the frame that is being filled; its memory is reused */
    wm_log_file *file;    /* NULL: only to `next` */
    wm_log_file *next;    /* NULL: only to `file`, or `next` could not be written to */
    wm_log_error *error;  /* the reason when a function fails */
    uint64_t written;     /* bytes of frames */
    bool has_next_failed; /* `next` lacks a frame that `file` has */
} wm_entry_writer;

/* Begins the first frame. False when out of memory. */
bool wm_entry_writer_begin(wm_entry_writer *w);
/* Writes the frame, if there is something in it, and begins the next one. */
bool wm_entry_writer_flush(wm_entry_writer *w);
/* Room for an entry's bytes, which the caller writes before the next call; NULL when it fails. */
uint8_t *wm_entry_writer_reserve(wm_entry_writer *w, uint32_t kind, uint64_t seq, size_t len);
/* Adds an entry. */
bool wm_entry_writer_put(wm_entry_writer *w, uint32_t kind, uint64_t seq, const void *bytes, size_t len);
/* Adds entries of seqs, each of which fits into a frame. */
bool wm_entry_writer_put_seqs(wm_entry_writer *w, uint32_t kind, const uint64_t *seqs, size_t count);
/* Bytes that wm_entry_writer_put_seqs takes in frames. */
uint64_t wm_entry_writer_size_of_seqs(uint64_t count);
#endif
