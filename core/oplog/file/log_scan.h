#ifndef WM_LOG_SCAN_H
#define WM_LOG_SCAN_H
#include "oplog/file/log_file.h"

/* Reads what is whole in a log file, damaged or not, and changes nothing. */
typedef struct wm_log_scan wm_log_scan;

typedef struct wm_log_findings {
    uint64_t bytes;           /* of the file */
    bool is_in_use;           /* a process has it open: then only the last commit's counts are known */
    bool is_damaged;
    char damage[160];         /* the first that was found; "" */
    bool knows_last_commit;   /* `counts` and `missing` are certain */
    uint64_t counts[2];       /* of the last commit: see wm_log_file_commit */
    uint64_t frames;          /* that are whole */
    uint64_t missing;         /* frames that are not, as far as is known */
} wm_log_findings;

/* Opens a file and looks for its frames. `lock`: no process may open it until
 * wm_log_scan_close, and one that has it open is the error WM_LOG_BUSY. NULL with the reason in
 * `e`: it cannot be read, or is no log of this kind and format. */
wm_log_scan *wm_log_scan_open(const char *path, const char *kind, bool lock, wm_log_error *e);
void wm_log_scan_close(wm_log_scan *s);
/* Valid until wm_log_scan_close. */
const wm_log_findings *wm_log_scan_findings(const wm_log_scan *s);
/* Hands the payload of every whole frame to `visit`, in the order of writing, as
 * wm_log_file_read. */
bool wm_log_scan_read(wm_log_scan *s, bool (*visit)(void *user, const uint8_t *payload, size_t len), void *user,
                      wm_log_error *e);
#endif
