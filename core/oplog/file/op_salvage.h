#ifndef WM_OP_SALVAGE_H
#define WM_OP_SALVAGE_H
#include "oplog/file/log_scan.h"
#include "oplog/file/op_tally.h"

/* The content of an op log's file, which may be damaged. */
typedef struct wm_op_findings {
    wm_log_findings file;
    wm_op_counts counts;                 /* of the whole frames; of a file in use those of its last commit */
    wm_op_counts written;                /* those of the last commit, when file.knows_last_commit */
    char client[WM_OP_TALLY_ID_MAX + 1]; /* id of the client; "" when no whole frame has it */
} wm_op_findings;

/* Reads a file and changes nothing. False with the reason in `e`: the file cannot be read, or is no op
 * log of this format. */
bool wm_op_inspect(const char *path, wm_op_findings *out, wm_log_error *e);
/* Writes the content of the whole frames of `path` to a new file `to`, which must not exist. The
 * content of missing frames is lost: operations that were recorded there are not in the new file, and
 * operations that were settled there are pending in it. False with the reason in `e`: no file was
 * created. */
bool wm_op_salvage(const char *path, const char *to, wm_op_findings *out, wm_log_error *e);
#endif
