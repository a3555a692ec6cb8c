#ifndef WM_OP_ENTRY_H
#define WM_OP_ENTRY_H
#include "base/buffer.h"
#include "oplog/file/log_file.h"

/* The entries in the frames of an op log's file. */
typedef enum wm_op_entry_kind {
    WM_ENTRY_CLIENT = 1,      /* the id of the client; seq: the highest one given until then */
    WM_ENTRY_OPERATION,       /* an operation, as sent */
    WM_ENTRY_SETTLED,         /* seqs of operations, 8 bytes each; seq: 0 */
    WM_ENTRY_LETTER,          /* a dead letter (dead_letters.h) */
    WM_ENTRY_LETTERS_DROPPED, /* seqs of dead letters, 8 bytes each; seq: 0 */
    WM_ENTRY_ACKNOWLEDGED,    /* seqs of operations that are acknowledged and stay for a while, 8 bytes each; seq: 0 */
} wm_op_entry_kind;

typedef struct wm_op_entry {
    uint32_t kind;
    uint32_t len;
    uint64_t seq;
    const uint8_t *bytes; /* `len` of them, in the payload; not aligned */
} wm_op_entry;

/* The content of an op log's file in numbers, which each commit has (wm_log_file_commit). */
typedef struct wm_op_counts {
    uint32_t pending;      /* earlier versions wrote the sum of both here, and 0 as `acknowledged` */
    uint32_t acknowledged; /* kept until it is certain that they need not be repeated */
    uint32_t letters;
} wm_op_counts;

/* Converts them to and from the two numbers of a commit. */
void wm_op_counts_write(const wm_op_counts *counts, uint64_t out[2]);
wm_op_counts wm_op_counts_read(const uint64_t counts[2]);

/* Bytes of an entry besides its `len` bytes. */
#define WM_OP_ENTRY_HEAD 16u

/* The kind of the file, for wm_log_file_open. */
#define WM_OP_LOG_KIND "op log"

/* Reads the entry at *at, which moves behind it. False at the end of the payload; false with *at != end
 * when there is no valid entry. */
bool wm_op_entry_next(const uint8_t **at, const uint8_t *end, wm_op_entry *out);
/* Appends the head of an entry and `len` bytes for the caller to write. Returns where these begin; NULL
 * when out of memory. */
uint8_t *wm_op_entry_begin(wm_buffer *frame, uint32_t kind, uint64_t seq, uint32_t len);
#endif
