#ifndef WM_OP_SALVAGE_H
#define WM_OP_SALVAGE_H
#include "oplog/file/log_scan.h"
#include "oplog/file/op_tally.h"

/* What is in an op log's file, damaged or not. */
typedef struct wm_op_findings {
    wm_log_findings file;
    wm_op_counts counts;  /* of what is whole; of a file in use those of its last commit */
    wm_op_counts written; /* those of the last commit, when file.knows_last_commit */
    char client[WM_OP_TALLY_ID_MAX + 1]; /* its id; "" when no whole part says it */
} wm_op_findings;

/* Reads a file and changes nothing. False with the reason in `e`: it cannot be read, or is no
 * op log of this format. */
bool wm_op_inspect(const char *path, wm_op_findings *out, wm_log_error *e);
/* Writes what is whole of `path` into the new file `to`, which must not exist. What a missing
 * part said is not known: operations of it are gone, and some that are saved may have been
 * acknowledged. False with the reason in `e`: then there is no new file. */
bool wm_op_salvage(const char *path, const char *to, wm_op_findings *out, wm_log_error *e);
#endif
