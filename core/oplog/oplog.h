#ifndef WM_OPLOG_H
#define WM_OPLOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oplog/file/log_file.h"
#include "oplog/op.h"
#include "wire/op_decoding.h"
#include "wire/op_template.h"

/* The op log: every operation that was accepted and is not yet settled. It owns
 * the operations' bytes (kept without what operations of a map share, see op_encoding.h)
 * and enforces the limits; where an operation waits is the batcher's business. */

/* `max_bytes` counts bytes as they are sent. */
typedef struct wm_oplog_limits {
    uint32_t max_ops;
    size_t max_bytes;
} wm_oplog_limits;

typedef struct wm_oplog wm_oplog;

/* NULL when out of memory. */
wm_oplog *wm_oplog_new(wm_oplog_limits limits);
void wm_oplog_free(wm_oplog *log);
/* Keeps the log in a file from now on: what the file holds is in it, with its
 * old seqs and as yet without recorded_us and partition: pending, or acknowledged (op->is_acknowledged).
 * `sync`: each wm_oplog_sync waits for the disk. The id of the client whose
 * operations these are is `client_id` in a new file. False with the reason in
 * `e`: use the log no more. */
bool wm_oplog_open(wm_oplog *log, const char *path, const char *client_id, bool sync, wm_log_error *e);
/* The client id in the file; "" without one. */
const char *wm_oplog_client_id(const wm_oplog *log);
/* Writes what changed since the last call to the file, if there is one. WM_OK, or
 * WM_EDISK when it cannot be written: the log counts as full until a later call
 * succeeds, and what was recorded stays pending. */
int wm_oplog_sync(wm_oplog *log);
/* What is settled may stay in the log's file for a while, in case this process ends before it is
 * known that it was settled rightly: see op_store.h. Without a file nothing happens. */
void wm_oplog_retain_bytes(wm_oplog *log, size_t bytes);
bool wm_oplog_retains(const wm_oplog *log);
void wm_oplog_retain(wm_oplog *log, uint32_t index, uint64_t now_us);
void wm_oplog_release(wm_oplog *log, uint64_t before_us);
/* Something that belongs into the file has no place in memory to be written from: as a
 * wm_oplog_sync that failed. WM_EDISK. */
int wm_oplog_lacks_memory(wm_oplog *log);
/* Looks whether the file is still where it was opened, and as long; else as wm_oplog_sync that
 * failed. */
int wm_oplog_check_file(wm_oplog *log);
/* Why the file cannot be written; WM_LOG_NONE when it can. */
const wm_log_error *wm_oplog_error(const wm_oplog *log);
/* Dead letters in the log's file: see op_store.h. Without a file nothing happens, and put and
 * drop are true. */
bool wm_oplog_put_letter(wm_oplog *log, uint64_t seq, const uint8_t *bytes, uint32_t len);
bool wm_oplog_drop_letter(wm_oplog *log, uint64_t seq);
void wm_oplog_letters(const wm_oplog *log,
                      void (*visit)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len), void *user);
/* The template of operations of a map, made when there is none yet: `remove`, or a put.
 * `client_id` is the client's own. WM_NO_TEMPLATE when out of memory. */
uint32_t wm_oplog_template(wm_oplog *log, bool remove, const char *map_name, size_t map_len, const char *client_id);
/* The map of the template's operations. */
const char *wm_oplog_map_of(const wm_oplog *log, uint32_t template, size_t *len);
/* Bytes that an operation of the template takes in OP_BATCH and not in the log. */
size_t wm_oplog_shared_len(const wm_oplog *log, uint32_t template);
/* A place for one more operation of up to `size` bytes as kept: WM_OK and where to write, or
 * WM_ENOMEM. The limits are the caller's to look at: wm_oplog_is_full. */
int wm_oplog_reserve(wm_oplog *log, size_t size, uint8_t **bytes, size_t *available);
/* Keeps the `len` bytes written at the reserved place (wm_op_keep_head and a value) as a
 * new operation in state WM_OP_PENDING, with the next seq. Its index; WM_NO_OP when out of
 * memory. */
uint32_t wm_oplog_commit(wm_oplog *log, uint32_t template, size_t len, size_t key_len);
/* Writes an operation as it is sent, op->len bytes; the end of them. */
uint8_t *wm_oplog_write(const wm_oplog *log, const wm_op *op, uint8_t *out);
/* What an operation says; valid until the log changes. */
wm_op_view wm_oplog_read(const wm_oplog *log, const wm_op *op);
/* The operation at an index; valid until the next commit. One cache line each. */
wm_op *wm_oplog_at(wm_oplog *log, uint32_t index);
/* The link of an operation in its queue, WM_NO_OP at the end: apart from the operation, so
 * that a queue can be walked without touching what stands in it. */
uint32_t *wm_oplog_next(wm_oplog *log, uint32_t index);
/* Whether an operation with these last 32 bits of its seq may be unsettled: false is certain,
 * and costs no look at it. */
bool wm_oplog_reaches_back(const wm_oplog *log, uint32_t seq);
/* The operation `op` writes the same key as `before`, and is newer. Each is named with the
 * last 32 bits of its seq: nothing happens when one of them is settled, and its place
 * another's by now. Operations of one key are a chain in the order of recording. */
void wm_oplog_follow(wm_oplog *log, uint32_t before, uint32_t before_seq, uint32_t op, uint32_t op_seq);
/* The operation that one with op->follows comes after: the next older one of its key. */
uint32_t wm_oplog_before(const wm_oplog *log, uint32_t index);
/* Forgets an operation: acknowledged, rejected or dropped. What followed it follows the one
 * before it, if there is one. */
void wm_oplog_settle(wm_oplog *log, uint32_t index);
/* Operations in the log, and their bytes as they are sent. */
uint32_t wm_oplog_count(const wm_oplog *log);
size_t wm_oplog_bytes(const wm_oplog *log);
/* One more than the highest index ever given: for walks over all operations. */
uint32_t wm_oplog_end(const wm_oplog *log);
/* The seq of the newest operation; 0 when there was none. */
uint64_t wm_oplog_last_seq(const wm_oplog *log);
bool wm_oplog_is_full(const wm_oplog *log);
/* Whether so many operations, of so many bytes as they are sent, reach a limit. */
bool wm_oplog_would_fill(const wm_oplog *log, uint32_t ops, size_t bytes);
/* Bytes of memory held for operations' bytes. */
size_t wm_oplog_footprint(const wm_oplog *log);
#endif
