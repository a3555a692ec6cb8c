#ifndef WM_OP_STORE_H
#define WM_OP_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oplog.h"

/* The op log's file: what is pending outlives the process. An LMDB environment in
 * one file, in which the operations that one commit brought are one record (a
 * segment) beside a mark for those of them that are settled; so a commit costs
 * little more than the copy of its bytes. Used by one process at a time. */
typedef struct wm_op_store wm_op_store;

/* The format of the file; a file of a later one is refused. */
#define WM_OP_STORE_FORMAT 1u

/* Opens or makes the file, for up to `max_bytes` of operations. `sync`: each commit waits for the disk, so that it
 * outlives the machine too; without, it outlives the process, and after a power
 * loss the file is sound only where the file system keeps the order of writes.
 * NULL with the reason in `error` (cut to `size`). */
wm_op_store *wm_op_store_open(const char *path, bool sync, size_t max_bytes, char *error, size_t size);
/* Closes the file without a further commit. */
void wm_op_store_close(wm_op_store *s);

/* The id of the client whose operations these are; "" in a new file. */
const char *wm_op_store_node_id(const wm_op_store *s);
/* Writes the id, at once. False with the reason in wm_op_store_error. */
bool wm_op_store_set_node_id(wm_op_store *s, const char *node_id);

/* Hands every unsettled operation to `add`, in no order, which puts it into the
 * log and returns its index, WM_NO_OP to give up. The bytes are valid for the
 * call. False with the reason in wm_op_store_error. */
bool wm_op_store_load(wm_op_store *s, wm_oplog *log,
                      uint32_t (*add)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len), void *user);

/* An operation joined the log: it goes into the file with the next commit. */
bool wm_op_store_recorded(wm_op_store *s, uint32_t index, uint64_t seq);
/* An operation is about to leave the log. */
void wm_op_store_settled(wm_op_store *s, const wm_op *op);
/* Writes what changed since the last commit, as one transaction. False when it
 * failed (a full disk): everything stays as it was, to be tried again. */
bool wm_op_store_commit(wm_op_store *s, wm_oplog *log);
/* Whether there is something to commit. */
bool wm_op_store_is_dirty(const wm_op_store *s);
/* Why the last call failed; "" when it did not. */
const char *wm_op_store_error(const wm_op_store *s);
#endif
