#ifndef WM_OP_TALLY_H
#define WM_OP_TALLY_H
#include "oplog/file/op_entry.h"
#include "oplog/file/seq_list.h"

/* Finds the live operations and dead letters of an op log's file. The file has an entry when each is
 * added, and another when it is removed. So all entries are read twice, in the same order: first for
 * wm_op_tally_add, then for wm_op_tally_is_live. */

typedef struct wm_tally_item {
    uint64_t seq;
    uint32_t place; /* among the entries of its kind */
} wm_tally_item;

typedef struct wm_tally_list {
    wm_tally_item *added;            /* an item for each entry that adds an operation or a letter */
    wm_seq_list removed;             /* the seqs in entries that remove some */
    uint8_t *live;                   /* by place: whether what was added was not removed; one byte each */
    uint32_t added_count, added_cap; /* of `added` */
    uint32_t live_count;
    uint32_t next; /* place of the next entry in the second reading */
} wm_tally_list;

typedef struct wm_op_tally {
    wm_tally_list operations, letters;
    wm_seq_list acknowledged;    /* of operations, live or not */
    uint32_t acknowledged_count; /* of live operations */
    uint64_t last_seq;           /* the highest that any entry names */
    uint32_t id_len;
    char id[256]; /* of the client; "" while no entry has it */
} wm_op_tally;

/* The longest client id that fits. */
#define WM_OP_TALLY_ID_MAX 255u

/* Adds a frame's payload. False with the reason in `e`. Begin with a zeroed tally. */
bool wm_op_tally_add(wm_op_tally *t, const uint8_t *payload, size_t len, wm_log_error *e);
/* Ends the first reading: wm_op_tally_counts and wm_op_tally_is_live may be called then. */
bool wm_op_tally_finish(wm_op_tally *t, wm_log_error *e);
wm_op_counts wm_op_tally_counts(const wm_op_tally *t);
/* Whether the operation or dead letter of an entry is live. Call it once for each such entry, in the
 * order of the first reading. */
bool wm_op_tally_is_live(wm_op_tally *t, const wm_op_entry *entry);
/* Whether the operation was acknowledged, and stays in case it has to be repeated. */
bool wm_op_tally_is_acknowledged(const wm_op_tally *t, uint64_t seq);
void wm_op_tally_close(wm_op_tally *t);
#endif
