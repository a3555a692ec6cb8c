#ifndef WM_OP_TALLY_H
#define WM_OP_TALLY_H
#include "oplog/file/op_entry.h"

/* Which operations and dead letters of an op log's file are still there. The file says of each
 * that it came, and later that it went; so its entries are counted first (wm_op_tally_add) and
 * then walked through again, in the same order (wm_op_tally_is_live). */

typedef struct wm_tally_item {
    uint64_t seq;
    uint32_t place; /* among the entries of its kind */
} wm_tally_item;

typedef struct wm_tally_seqs {
    uint64_t *seqs;
    size_t count, cap;
} wm_tally_seqs;

typedef struct wm_tally_list {
    wm_tally_item *came;
    wm_tally_seqs went;
    uint8_t *live; /* by place; one byte each */
    uint32_t came_count, came_cap;
    uint32_t live_count;
    uint32_t next; /* of the second walk */
} wm_tally_list;

typedef struct wm_op_tally {
    wm_tally_list operations, letters;
    wm_tally_seqs acknowledged; /* operations, still there or not */
    uint32_t acknowledged_count; /* of those that are still there */
    uint64_t last_seq; /* the highest that any entry names */
    uint32_t id_len;
    char id[256]; /* of the client; "" while no entry said it */
} wm_op_tally;

/* The longest client id that fits. */
#define WM_OP_TALLY_ID_MAX 255u

/* Adds a frame's payload. False with the reason in `e`. Begin with a zeroed tally. */
bool wm_op_tally_add(wm_op_tally *t, const uint8_t *payload, size_t len, wm_log_error *e);
/* Works out what is still there: is_live and counts may be asked now. */
bool wm_op_tally_finish(wm_op_tally *t, wm_log_error *e);
wm_op_counts wm_op_tally_counts(const wm_op_tally *t);
/* Whether an operation or dead letter is still there. Asked once for each such entry, in the
 * order in which they were added. */
bool wm_op_tally_is_live(wm_op_tally *t, const wm_op_entry *entry);
/* Whether an entry says that the operation was acknowledged: it is there to be sent once more. */
bool wm_op_tally_is_acknowledged(const wm_op_tally *t, uint64_t seq);
void wm_op_tally_close(wm_op_tally *t);
#endif
