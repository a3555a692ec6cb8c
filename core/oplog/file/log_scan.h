#ifndef WM_LOG_SCAN_H
#define WM_LOG_SCAN_H
#include "oplog/file/log_file.h"

/* Reads the whole frames of a log file, which may be damaged, and changes nothing. */
typedef struct wm_log_scan wm_log_scan;

typedef struct wm_log_findings {
    uint64_t bytes; /* of the file */
    bool is_in_use; /* a process has it open; then only the counts of the last commit are known */
    bool is_damaged;
    char damage[160];       /* the first damage that was found; "" */
    bool knows_last_commit; /* `counts` and `missing` are certain */
    uint64_t counts[2];     /* of the last commit: see wm_log_file_commit */
    uint64_t frames;        /* whole frames */
    uint64_t missing;       /* missing or damaged frames, as far as is known */
} wm_log_findings;

/* Opens a file and finds its frames. `lock`: no process can open it until wm_log_scan_close; if one has
 * it open, the error is WM_LOG_BUSY. NULL with the reason in `e`: the file cannot be read, or is no log
 * of this kind and format. */
wm_log_scan *wm_log_scan_open(const char *path, const char *kind, bool lock, wm_log_error *e);
void wm_log_scan_close(wm_log_scan *s);
/* Valid until wm_log_scan_close. */
const wm_log_findings *wm_log_scan_findings(const wm_log_scan *s);
/* Calls `visit` for the payload of every whole frame, in the order of writing. Returns as
 * wm_log_file_read. */
bool wm_log_scan_read(wm_log_scan *s, bool (*visit)(void *user, const uint8_t *payload, size_t len), void *user,
                      wm_log_error *e);
#endif
