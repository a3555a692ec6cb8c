#ifndef WM_ATOMIC_FILE_H
#define WM_ATOMIC_FILE_H
#include <stddef.h>

/* Writes `len` bytes to the file `path` so that at any time, also after a crash or
 * a power cut, it holds either what it held or all of the new bytes: a temporary
 * file beside it, synced, takes its place. A symbolic link stays one; mode and
 * owner of a new file are those of any new file, of an old one its mode. What is
 * no regular file (a pipe, /dev/stdout) is written to as it is. 0, or an errno
 * value: then the old file is as it was and no other one is left. */
int wm_replace_file(const char *path, const void *data, size_t len);
/* Whether wm_replace_file could create or replace `path` now: 0, or an errno. Leaves
 * nothing behind. */
int wm_replace_file_check(const char *path);
#endif
