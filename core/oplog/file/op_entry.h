#ifndef WM_OP_ENTRY_H
#define WM_OP_ENTRY_H
#include "base/buffer.h"
#include "oplog/file/log_file.h"

/* What the frames of an op log's file consist of. */
typedef enum wm_op_entry_kind {
    WM_ENTRY_CLIENT = 1,      /* the id of the client; seq: the last one given, as far as it was known */
    WM_ENTRY_OPERATION,       /* its bytes, as they are sent */
    WM_ENTRY_SETTLED,         /* seqs of operations, 8 bytes each; seq: 0 */
    WM_ENTRY_LETTER,          /* a dead letter, in the bytes of its owner */
    WM_ENTRY_LETTERS_DROPPED, /* seqs of dead letters, 8 bytes each; seq: 0 */
    WM_ENTRY_ACKNOWLEDGED,    /* seqs of operations that stay for a while all the same, 8 bytes each; seq: 0 */
} wm_op_entry_kind;

typedef struct wm_op_entry {
    uint32_t kind;
    uint32_t len;
    uint64_t seq;
    const uint8_t *bytes; /* `len` of them, in the payload; not aligned */
} wm_op_entry;

/* What is in an op log's file, as each commit says it of itself (wm_log_file_commit). */
typedef struct wm_op_counts {
    uint32_t pending;      /* in files of before `acknowledged` was counted: both */
    uint32_t acknowledged; /* and kept until it is certain that they need not be repeated */
    uint32_t letters;
} wm_op_counts;

/* To and from the two numbers that a commit has for them. */
void wm_op_counts_write(const wm_op_counts *counts, uint64_t out[2]);
wm_op_counts wm_op_counts_read(const uint64_t counts[2]);

/* Bytes of an entry with `len` bytes. */
#define WM_OP_ENTRY_HEAD 16u

/* What the file is, for wm_log_file_open. */
#define WM_OP_LOG_KIND "op log"

/* The entry at *at, which moves behind it. False at the end of the payload, and with
 * *at != end when there is none. */
bool wm_op_entry_next(const uint8_t **at, const uint8_t *end, wm_op_entry *out);
/* Appends an entry's head and leaves room for its `len` bytes: where they go, NULL when out of
 * memory. */
uint8_t *wm_op_entry_begin(wm_buffer *frame, uint32_t kind, uint64_t seq, uint32_t len);
/* The seq at a place in the bytes of an entry that consists of seqs. */
uint64_t wm_op_entry_seq(const wm_op_entry *entry, uint32_t place);
#endif
