#ifndef WM_LOG_FILE_H
#define WM_LOG_FILE_H
#include "base/buffer.h"
#include "oplog/file/log_error.h"
#include "oplog/file/log_format.h"

/* A file of commits. A commit consists of frames, whose bytes only the owner understands, and is in the
 * file as a whole or not at all. The file grows with each commit. To end that, the owner writes again
 * what still counts: if it is little, in one commit that replaces all earlier ones
 * (wm_log_file_restart); if it is much, into a new file beside it, which takes its place. Reading
 * detects changed bytes, missing frames and a file that was cut. One process uses it at a time. */
typedef struct wm_log_file wm_log_file;

#ifndef WM_LOG_REGION /* smaller in a fuzzer, which does not write so much */
#define WM_LOG_REGION ((uint64_t)1 << 20)
#endif

/* Opens the file, or creates it: it appears with its first bytes on the disk, so an empty file is a
 * damaged one. `kind` names its content, up to 15 characters. `sync`: each commit waits for the disk,
 * and so survives a power cut; without it, a commit survives the process, and a power cut may leave a
 * damaged file. NULL with the reason in `e`: nothing changed. */
wm_log_file *wm_log_file_open(const char *path, const char *kind, bool sync, wm_log_error *e);
/* Creates the file; the error WM_LOG_IO when the path exists. */
wm_log_file *wm_log_file_new(const char *path, const char *kind, bool sync, wm_log_error *e);
/* Creates an empty file of the same kind beside `f`, which can take its place. */
wm_log_file *wm_log_file_beside(const wm_log_file *f, wm_log_error *e);
/* Puts `next`, from wm_log_file_beside, in the place of `f`; only wm_log_file_shrink and
 * wm_log_file_close may be called for `f` then. False with the reason in `e`, and nothing changed, when
 * another file is at that path. */
bool wm_log_file_take_place(wm_log_file *next, const wm_log_file *f, wm_log_error *e);
/* Frees up to `bytes` of the disk space of a file that was replaced, unless it is still in a directory.
 * To free all of it at once, by closing it, can take a tenth of a second. True when nothing is left to
 * free. */
bool wm_log_file_shrink(wm_log_file *f, uint64_t bytes);
/* Closes the file without a commit, and removes it if it is one from wm_log_file_beside. */
void wm_log_file_close(wm_log_file *f);

/* Bytes of the file up to the end of the last commit; and, of these, bytes of the frames that count. */
uint64_t wm_log_file_length(const wm_log_file *f);
uint64_t wm_log_file_used(const wm_log_file *f);
/* The counts of the last commit: wm_log_file_commit. */
const uint64_t *wm_log_file_counts(const wm_log_file *f);
/* Calls `visit` for the payload of every committed frame, in order; it is valid during the call. False
 * when `visit` returned false (it fills in `e`), or the file is damaged. */
bool wm_log_file_read(wm_log_file *f, bool (*visit)(void *user, const uint8_t *payload, size_t len), void *user,
                      wm_log_error *e);

/* Clears the buffer and reserves the header of a frame; append the payload then. False when out of
 * memory. */
bool wm_log_frame_begin(wm_buffer *frame);
/* Appends the frame to the file as part of the next commit. */
bool wm_log_file_append(wm_log_file *f, wm_buffer *frame, wm_log_error *e);
/* Begins a commit that replaces all earlier ones: the owner appends all content again, at most `size`
 * bytes with the headers of frames. The commit goes to one of two regions that are used in turns, whose
 * pages are in the cache, so the file does not grow. False, and nothing changed, when the frames that
 * count take less than WM_LOG_REGION, or no region has place for `size` bytes. */
bool wm_log_file_restart(wm_log_file *f, uint64_t size);
/* Ends a commit. `counts` are numbers of the owner, by which a damaged file still shows how much was in
 * it. False when it failed; call wm_log_file_rollback then. */
bool wm_log_file_commit(wm_log_file *f, const uint64_t counts[2], wm_log_error *e);
/* Drops the frames appended since the last commit. */
void wm_log_file_rollback(wm_log_file *f);
/* Whether the file is still in a directory, and not shorter than its last commit left it. */
bool wm_log_file_is_there(const wm_log_file *f);
/* Whether it is also still at its path. Costs ten times as much. */
bool wm_log_file_is_in_place(const wm_log_file *f, wm_log_error *e);
#endif
