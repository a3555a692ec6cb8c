#ifndef WM_COPY_FILE_H
#define WM_COPY_FILE_H
#include "replica/saved/copy_reader.h"

/* The file of one map's saved copy: a log of the changes of the nodes' holdings. A commit has whole records, and the
 * records of one call are all there or none of them is. To get rid of outdated entries the file is written anew beside
 * itself, a part with each call. Nothing waits for the disk: the file survives the process; after a power cut it may be
 * damaged, which reading detects. One process uses it at a time. */
typedef struct wm_copy_file wm_copy_file;

/* Opens the file, or creates it, and reads it. NULL with the reason in `e`: nothing changed, and `content` is empty.
 * `names` and `space` are borrowed, and outlive it; see wm_copy_read. */
wm_copy_file *wm_copy_file_open(const char *path, const char *map, size_t map_len, wm_node_names *names, wm_record_space *space,
                                wm_copy_content *content, wm_log_error *e);
/* Closes it without writing. */
void wm_copy_file_close(wm_copy_file *f);
/* What is in the file does not count any more: the next save writes a new one. */
void wm_copy_file_begin_anew(wm_copy_file *f);

/* Writes what changed in these holdings since they were saved, of which about `*records` may be records; what was written is
 * subtracted. Holdings that are not given any more are emptied. False with the reason in `e`: the file is as it was, what changed is kept,
 * and the next call writes the file anew. */
bool wm_copy_file_save(wm_copy_file *f, const wm_copy_rules *rules, const wm_kept_holding *all, uint32_t count, uint32_t *records,
                       wm_log_error *e);
/* Whether the next save has something to write: records, or the rest of a new file that is needed. */
bool wm_copy_file_is_behind(const wm_copy_file *f, const wm_kept_holding *all, uint32_t count);
uint64_t wm_copy_file_length(const wm_copy_file *f);
#endif
