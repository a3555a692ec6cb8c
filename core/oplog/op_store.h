#ifndef WM_OP_STORE_H
#define WM_OP_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oplog/file/log_file.h"
#include "oplog/op_table.h"

/* The op log's file. It keeps unsettled operations and dead letters when the process ends. A commit
 * appends the operations that were recorded and the seqs of those that were settled. A file with little
 * left in it is copied to a new one beside it, a part with each commit. One process uses it at a time. */
typedef struct wm_op_store wm_op_store;

/* Opens the file, or creates it. `sync`: each commit waits for the disk, and so survives a power cut,
 * too; without it, a commit survives the process. NULL with the reason in `e`: nothing changed. */
wm_op_store *wm_op_store_open(const char *path, bool sync, wm_log_error *e);
/* Closes the file without a further commit. */
void wm_op_store_close(wm_op_store *s);

/* Adds every operation of the file to the table, in no particular order. Call it once, before anything is
 * recorded. */
bool wm_op_store_load(wm_op_store *s, wm_op_table *table, wm_log_error *e);
/* The id of the client that recorded the operations, after wm_op_store_load; "" in a new file. */
const char *wm_op_store_client_id(const wm_op_store *s);
/* Writes the id, of up to WM_OP_TALLY_ID_MAX bytes, to the file at once. False with the reason in `e`. */
bool wm_op_store_set_client_id(wm_op_store *s, const char *client_id, wm_log_error *e);
/* The highest seq of an operation that is or was in the file. New operations need a higher one. */
uint64_t wm_op_store_last_seq(const wm_op_store *s);

/* Notes that an operation was recorded: the next commit writes it. False when out of memory. */
bool wm_op_store_recorded(wm_op_store *s, uint32_t index, uint64_t seq);
/* Notes that an operation is about to be settled. */
void wm_op_store_settled(wm_op_store *s, const wm_op *op);
/* Sets how many bytes of memory wm_op_store_retain may take; 0, the initial value: none. */
void wm_op_store_retain_bytes(wm_op_store *s, size_t bytes);
/* Keeps an operation that is about to be settled in the file until wm_op_store_release, marked as
 * acknowledged: a process that opens the file before that gets it with op->is_acknowledged. Does
 * nothing when it is not in the file, or memory does not suffice. */
void wm_op_store_retain(wm_op_store *s, const wm_op_table *table, wm_op *op, uint64_t now_us);
/* Settles operations in the file, with the next commit, that were retained before `before_us`. */
void wm_op_store_release(wm_op_store *s, uint64_t before_us);

/* Adds a dead letter with the seq of its operation, for each seq one. The bytes are copied; only the
 * caller knows their meaning. The next commit writes the letter and removes the operation, if it is
 * settled by then, so a crash leaves one of the two. False when out of memory. */
bool wm_op_store_put_letter(wm_op_store *s, uint64_t seq, const uint8_t *bytes, uint32_t len);
/* Removes a dead letter, from the file with the next commit. False when there is none of this seq. */
bool wm_op_store_drop_letter(wm_op_store *s, uint64_t seq);
/* Calls `visit` for every dead letter, in the order in which they were added. It must not add or remove
 * any. */
void wm_op_store_letters(const wm_op_store *s,
                         void (*visit)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len), void *user);

/* Writes all changes since the last commit, or none. False with the reason in `e` (the disk is full,
 * the file was removed): the changes are kept for the next call. After the file was removed or cut, the
 * next call writes a new one. If another file has taken its place, that is left alone, and every call
 * fails until it is gone. */
bool wm_op_store_commit(wm_op_store *s, wm_op_table *table, wm_log_error *e);
/* Whether there are changes to commit. */
bool wm_op_store_is_dirty(const wm_op_store *s);
/* Whether the file at the path is the one that was opened. If not, the next commit fails or writes a
 * new one. */
bool wm_op_store_is_in_place(wm_op_store *s, wm_log_error *e);
#endif
