#ifndef WM_COPY_READER_H
#define WM_COPY_READER_H
#include "replica/saved/copy_format.h"

/* The content of a saved copy's file. wm_copy_content_close frees it, without the holdings that the caller took over: set
 * these to NULL. */
typedef struct wm_copy_content {
    bool has_rules; /* false: nothing is in it */
    wm_copy_rules rules;
    uint32_t node_count;
    wm_kept_holding *nodes; /* by number - 1; those without an id are nobody's */
    uint32_t writer_count;
    uint32_t *writers; /* of each number the index in `names` */
    uint64_t bytes;    /* of entries about records */
    uint64_t puts;     /* how many there are */
    bool is_cut;       /* there was no room for all records */
} wm_copy_content;

/* Reads the file, and adds writers to `names`. Records count into `space`, which may be NULL; those that it has no room for
 * are left out. False with the reason in `e`: WM_LOG_DAMAGED if it is no whole copy of this map. Close the content in any
 * case. */
bool wm_copy_read(wm_log_file *file, const char *map, size_t map_len, wm_node_names *names, wm_record_space *space,
                  wm_copy_content *out, wm_log_error *e);
void wm_copy_content_close(wm_copy_content *c);
#endif
