#ifndef WM_ATOMIC_FILE_H
#define WM_ATOMIC_FILE_H
#include <stddef.h>

/* Replaces the content of the file `path` atomically: at any time, also after a crash or a power cut,
 * it has the old content or all `len` new bytes. A temporary file beside it is written, synced and
 * renamed. A symbolic link stays; an existing file keeps its mode. Something else than a regular file
 * (a pipe, /dev/stdout) is written to directly. 0, or an errno value: the old file is unchanged and no
 * temporary file is left. */
int wm_replace_file(const char *path, const void *data, size_t len);
/* Checks that wm_replace_file could create or replace `path` now. 0, or an errno value. Leaves no file. */
int wm_replace_file_check(const char *path);
#endif
