#ifndef WM_LOG_FILE_H
#define WM_LOG_FILE_H
#include "base/buffer.h"
#include "oplog/file/log_error.h"
#include "oplog/file/log_format.h"

/* A file of commits: each is some frames of bytes that mean something to the owner, and is in
 * the file as a whole or not at all. It grows with each of them, until its owner writes all
 * that is still of worth again: a little of it with one commit, which then stands for all that
 * were before (wm_log_file_restart), much of it into a new file beside it, which then takes its
 * place. A byte that changed, a frame that is missing and a cut are noticed when the file is
 * read. Used by one process at a time. */
typedef struct wm_log_file wm_log_file;

#ifndef WM_LOG_REGION /* smaller in a fuzzer, which does not write so much */
#define WM_LOG_REGION ((uint64_t)1 << 20)
#endif

/* Opens the file, or makes it when there is none: it appears with its beginning, on the disk, so
 * that an empty file is a damaged one. `kind` says what is in it, up to 15 characters. `sync`: each
 * commit waits for the disk, so that it outlives the machine too; without, it outlives the
 * process, and what a power cut left of it may be damaged. NULL with the reason in `e`; then
 * nothing was changed. */
wm_log_file *wm_log_file_open(const char *path, const char *kind, bool sync, wm_log_error *e);
/* The same, and an error (WM_LOG_IO) when there is something at the path. */
wm_log_file *wm_log_file_new(const char *path, const char *kind, bool sync, wm_log_error *e);
/* An empty file beside `f`, of the same kind, that can take its place. */
wm_log_file *wm_log_file_beside(const wm_log_file *f, wm_log_error *e);
/* `next`, which wm_log_file_beside made, takes the place of `f`, which is of no use from then
 * on. Where another file is at that path, or `f` was removed and then something put there,
 * nothing happens. */
bool wm_log_file_take_place(wm_log_file *next, const wm_log_file *f, wm_log_error *e);
/* Gives back up to `bytes` of the space of a file that another took the place of, unless it is
 * still in a directory: to do that at once, when it is closed, can take the system a tenth of a
 * second. True when there is nothing more to do. */
bool wm_log_file_shrink(wm_log_file *f, uint64_t bytes);
/* Closes the file without a commit; one beside another is removed. */
void wm_log_file_close(wm_log_file *f);

/* Bytes of the file, up to the end of the last commit, and of the frames that count. */
uint64_t wm_log_file_length(const wm_log_file *f);
uint64_t wm_log_file_used(const wm_log_file *f);
/* The counts of the last commit. */
const uint64_t *wm_log_file_counts(const wm_log_file *f);
/* Hands the payload of every committed frame to `visit`, in order; it is valid for the call.
 * False when `visit` returned false, which fills in `e`, and when the file is damaged. */
bool wm_log_file_read(wm_log_file *f, bool (*visit)(void *user, const uint8_t *payload, size_t len), void *user,
                      wm_log_error *e);

/* Clears the buffer and leaves room for a frame's header: the payload is appended. */
bool wm_log_frame_begin(wm_buffer *frame);
/* Writes the frame behind those that are there, as part of the next commit. */
bool wm_log_file_append(wm_log_file *f, wm_buffer *frame, wm_log_error *e);
/* Begins a commit that stands for all that were before: the owner appends everything anew, at
 * most `size` bytes with the frames' headers. True when frames are worth that (WM_LOG_REGION)
 * and the file has such a place, which is used in turns: its pages are warm, and it does not
 * grow. Else nothing changed. */
bool wm_log_file_restart(wm_log_file *f, uint64_t size);
/* Ends a commit. `counts` is what the owner counts, so that a damaged file says how much was
 * in it. False when it failed: wm_log_file_rollback. */
bool wm_log_file_commit(wm_log_file *f, const uint64_t counts[2], wm_log_error *e);
/* Forgets what was appended since the last commit. */
void wm_log_file_rollback(wm_log_file *f);
/* Whether the file is still in a directory, and as long as it was left. */
bool wm_log_file_is_there(const wm_log_file *f);
/* Whether it is still at its path, too: that costs ten times as much. */
bool wm_log_file_is_in_place(const wm_log_file *f, wm_log_error *e);
#endif
