#ifndef WM_OPLOG_H
#define WM_OPLOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oplog/file/log_file.h"
#include "oplog/op.h"
#include "wire/op_decoding.h"
#include "wire/op_template.h"

/* The op log: every operation that was accepted and is not settled yet. It owns the operations' bytes
 * (those that are not in the template, op_encoding.h) and knows the limits. The queues are the
 * batcher's. */

/* `max_bytes` counts operations as they are sent. */
typedef struct wm_oplog_limits {
    uint32_t max_ops;
    size_t max_bytes;
} wm_oplog_limits;

typedef struct wm_oplog wm_oplog;

/* NULL when out of memory. */
wm_oplog *wm_oplog_new(wm_oplog_limits limits);
void wm_oplog_free(wm_oplog *log);
/* Keeps the log in a file from now on. The operations of the file are added with their old seqs, pending or
 * acknowledged (op->is_acknowledged); recorded_us and partition are not set yet. `sync`: each wm_oplog_sync
 * waits for the disk. `client_id` is written to a new file. False with the reason in `e`: do not use the
 * log any more. */
bool wm_oplog_open(wm_oplog *log, const char *path, const char *client_id, bool sync, wm_log_error *e);
/* The client id in the file; "" without one. */
const char *wm_oplog_client_id(const wm_oplog *log);
/* Writes the changes since the last call to the file, if there is one. WM_OK; WM_EDISK when it cannot:
 * the log counts as full until a later call succeeds, and recorded operations stay pending. */
int wm_oplog_sync(wm_oplog *log);
/* Keep acknowledged operations in the log's file for a while, in case they have to be repeated and this
 * process has ended by then: see op_store.h. Without a file these do nothing; wm_oplog_retains says
 * whether there is one. */
void wm_oplog_retain_bytes(wm_oplog *log, size_t bytes);
bool wm_oplog_retains(const wm_oplog *log);
void wm_oplog_retain(wm_oplog *log, uint32_t index, uint64_t now_us);
void wm_oplog_release(wm_oplog *log, uint64_t before_us);
/* Notes that something could not be queued for the file, for want of memory. Has the effects of a
 * wm_oplog_sync that failed, and returns WM_EDISK. */
int wm_oplog_lacks_memory(wm_oplog *log);
/* Checks that the file is at its path and has its length. WM_OK; WM_EDISK as a wm_oplog_sync that
 * failed. */
int wm_oplog_check_file(wm_oplog *log);
/* Why the file cannot be written; WM_LOG_NONE when it can. */
const wm_log_error *wm_oplog_error(const wm_oplog *log);
/* Dead letters in the log's file: see op_store.h. Without a file these do nothing; put and drop return
 * true. */
bool wm_oplog_put_letter(wm_oplog *log, uint64_t seq, const uint8_t *bytes, uint32_t len);
bool wm_oplog_drop_letter(wm_oplog *log, uint64_t seq);
void wm_oplog_letters(const wm_oplog *log,
                      void (*visit)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len), void *user);
/* The template of the sets, or with `remove` of the removals, of a map; created if there is none.
 * `client_id`: the id of this client. WM_NO_TEMPLATE when out of memory. */
uint32_t wm_oplog_template(wm_oplog *log, bool remove, const char *map_name, size_t map_len, const char *client_id);
/* The map of the template's operations. */
const char *wm_oplog_map_of(const wm_oplog *log, uint32_t template, size_t *len);
/* How many bytes longer an operation of the template is in an OP_BATCH than in the log. */
size_t wm_oplog_shared_len(const wm_oplog *log, uint32_t template);
/* Reserves memory for one more operation of up to `size` bytes as kept. WM_OK and the place in `bytes`;
 * WM_ENOMEM. The caller checks the limits first: wm_oplog_is_full. */
int wm_oplog_reserve(wm_oplog *log, size_t size, uint8_t **bytes, size_t *available);
/* Makes a pending operation, with the next seq, of the `len` bytes written at the reserved place
 * (wm_op_keep_head and a value). Returns its index; WM_NO_OP when out of memory. */
uint32_t wm_oplog_commit(wm_oplog *log, uint32_t template, size_t len, size_t key_len);
/* Writes an operation as sent, op->len bytes, and returns the end. */
uint8_t *wm_oplog_write(const wm_oplog *log, const wm_op *op, uint8_t *out);
/* The content of an operation; valid until the log changes. */
wm_op_view wm_oplog_read(const wm_oplog *log, const wm_op *op);
/* The operation at an index; valid until the next wm_oplog_commit. It is one cache line. */
wm_op *wm_oplog_at(wm_oplog *log, uint32_t index);
/* The link of an operation to the next one in its queue; WM_NO_OP at the end. It is apart from the
 * operation, so that a walk along a queue reads only links. */
uint32_t *wm_oplog_next(wm_oplog *log, uint32_t index);
/* Whether an operation may be unsettled, by the last 32 bits of its seq. False is certain. Reads no
 * operation. */
bool wm_oplog_reaches_back(const wm_oplog *log, uint32_t seq);
/* Makes `op` follow `before`, an older operation of the same key; operations of a key form a chain in
 * the order of recording. Each is given with the last 32 bits of its seq: if one is settled, and its
 * index another operation's by now, nothing happens. */
void wm_oplog_follow(wm_oplog *log, uint32_t before, uint32_t before_seq, uint32_t op, uint32_t op_seq);
/* The next older operation of the key, for one with op->follows. */
uint32_t wm_oplog_before(const wm_oplog *log, uint32_t index);
/* Removes an operation that was acknowledged, rejected or dropped. The one that followed it follows the
 * one before it, if there is one. */
void wm_oplog_settle(wm_oplog *log, uint32_t index);
/* The number of operations in the log, and their bytes as sent. */
uint32_t wm_oplog_count(const wm_oplog *log);
size_t wm_oplog_bytes(const wm_oplog *log);
/* One more than the highest index so far, for walks over all operations. */
uint32_t wm_oplog_end(const wm_oplog *log);
/* The seq of the newest operation so far; 0: there was none. */
uint64_t wm_oplog_last_seq(const wm_oplog *log);
/* Whether a limit is reached, or the file cannot be written (wm_oplog_error). */
bool wm_oplog_is_full(const wm_oplog *log);
/* Whether `ops` operations of `bytes` as sent reach a limit. */
bool wm_oplog_would_fill(const wm_oplog *log, uint32_t ops, size_t bytes);
/* Bytes of memory allocated for the bytes of operations. */
size_t wm_oplog_footprint(const wm_oplog *log);
#endif
