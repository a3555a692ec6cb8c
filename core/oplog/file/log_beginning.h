#ifndef WM_LOG_BEGINNING_H
#define WM_LOG_BEGINNING_H
#include <sys/types.h>

#include "oplog/file/log_error.h"
#include "oplog/file/log_format.h"

/* The first bytes of a log file, up to the header of what may be its first frame. */
typedef struct wm_log_beginning {
    uint8_t bytes[WM_LOG_FRAMES_AT + sizeof(wm_log_frame)]; /* zeros behind `len` */
    size_t len;
} wm_log_beginning;

extern const char wm_log_magic[]; /* 16 bytes */

/* Reads up to `len` bytes of a file at `at`. Returns their number, or -1 with the reason in `e`. */
ssize_t wm_log_read_at(int fd, void *bytes, size_t len, uint64_t at, wm_log_error *e);
/* Reads the first bytes of a file. False with the reason in `e` when it cannot be read. */
bool wm_log_beginning_read(wm_log_beginning *b, int fd, wm_log_error *e);
/* Whether the head is whole, and of this kind and format; the reason in `e` when not. */
bool wm_log_beginning_check_head(const wm_log_beginning *b, const char *kind, wm_log_error *e);
/* The slot of the last commit; false when one of the two slots is damaged. */
bool wm_log_beginning_last_commit(const wm_log_beginning *b, wm_log_slot *slot, wm_log_error *e);
#endif
