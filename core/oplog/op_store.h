#ifndef WM_OP_STORE_H
#define WM_OP_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oplog/file/log_file.h"
#include "oplog/op_table.h"

/* The op log's file: what is pending outlives the process, and so do dead letters. A commit
 * appends the operations that were recorded and the seqs of those that were settled; a file
 * with little left in it is written anew beside itself, some of it with each commit. Used by
 * one process at a time. */
typedef struct wm_op_store wm_op_store;

/* Opens or makes the file. `sync`: each commit waits for the disk, so that it outlives the
 * machine too; without, it outlives the process. NULL with the reason in `e`; then nothing was
 * changed. */
wm_op_store *wm_op_store_open(const char *path, bool sync, wm_log_error *e);
/* Closes the file without a further commit. */
void wm_op_store_close(wm_op_store *s);

/* Puts every operation that the file has into the table, in no order. Once, before anything
 * is recorded. */
bool wm_op_store_load(wm_op_store *s, wm_op_table *table, wm_log_error *e);
/* The id of the client whose operations these are, known once they are loaded; "" in a new file. */
const char *wm_op_store_client_id(const wm_op_store *s);
/* Writes the id, of up to WM_OP_TALLY_ID_MAX bytes, at once. */
bool wm_op_store_set_client_id(wm_op_store *s, const char *client_id, wm_log_error *e);
/* The highest seq that the file names: an operation of it, or of earlier processes. New ones
 * are higher. */
uint64_t wm_op_store_last_seq(const wm_op_store *s);

/* An operation joined the log: it goes into the file with the next commit. False when out of
 * memory. */
bool wm_op_store_recorded(wm_op_store *s, uint32_t index, uint64_t seq);
/* An operation is about to leave the log. */
void wm_op_store_settled(wm_op_store *s, const wm_op *op);
/* How many bytes of memory wm_op_store_retain may take; 0, as in the beginning: none. */
void wm_op_store_retain_bytes(wm_op_store *s, size_t bytes);
/* An operation that is in the file, and is about to be settled, is to stay there until
 * wm_op_store_release, as acknowledged: a process that opens the file before finds op->is_acknowledged.
 * Where memory does not suffice nothing happens. */
void wm_op_store_retain(wm_op_store *s, const wm_op_table *table, wm_op *op, uint64_t now_us);
/* Those that were retained before that time are settled in the file, too, with the next commit. */
void wm_op_store_release(wm_op_store *s, uint64_t before_us);

/* Keeps a dead letter with the seq of its operation, each seq once; the bytes are copied and
 * mean something to the caller only. It goes into the file with the next commit, in which its
 * operation leaves it, if that was settled by then: a crash leaves one of the two. False when
 * out of memory. */
bool wm_op_store_put_letter(wm_op_store *s, uint64_t seq, const uint8_t *bytes, uint32_t len);
/* Forgets a dead letter, in the file with the next commit. False when there is none. */
bool wm_op_store_drop_letter(wm_op_store *s, uint64_t seq);
/* Hands every dead letter to `visit`, oldest first as they were put; do not put or drop any in
 * it. */
void wm_op_store_letters(const wm_op_store *s,
                         void (*visit)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len), void *user);

/* Writes what changed since the last commit, all of it or nothing. False with the reason in `e`
 * when it failed (a full disk; the file was removed): everything stays as it was, to be tried
 * again. A file that was removed or cut is written anew by the next call; one that stands in
 * its place is left alone, and every call fails until it is gone. */
bool wm_op_store_commit(wm_op_store *s, wm_op_table *table, wm_log_error *e);
/* Whether there is something to commit. */
bool wm_op_store_is_dirty(const wm_op_store *s);
/* Whether the file is still the one that was opened; else the next commit fails, or makes it
 * anew. */
bool wm_op_store_is_in_place(wm_op_store *s, wm_log_error *e);
#endif
