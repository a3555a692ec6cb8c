#ifndef WM_COPY_READER_H
#define WM_COPY_READER_H
#include "replica/saved/copy_format.h"

/* What the file of a saved copy has. Free it with wm_copy_content_close, but for holdings that were taken (NULL). */
typedef struct wm_copy_content {
    bool has_rules; /* false: nothing is in it */
    wm_copy_rules rules;
    uint32_t node_count;
    wm_kept_holding *nodes; /* by number - 1; those without an id are nobody's */
    uint32_t writer_count;
    uint32_t *writers; /* of each number the index in `names` */
    uint64_t bytes;    /* of entries about records */
    uint64_t puts;     /* how many there are */
} wm_copy_content;

/* Reads it. Writers are added to `names`. False with the reason in `e`, WM_LOG_DAMAGED where it is no whole copy of this map: what was
 * read is to be closed all the same. */
bool wm_copy_read(wm_log_file *file, const char *map, size_t map_len, wm_node_names *names, wm_copy_content *out, wm_log_error *e);
void wm_copy_content_close(wm_copy_content *c);
#endif
