#ifndef WM_RETAINED_OPS_H
#define WM_RETAINED_OPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Operations that are settled and stay in the log's file for a while, in the order of settling. Their
 * bytes are bounded; memory is reused, so nothing is allocated once it was used up to the bound. */
typedef struct wm_retained_ops {
    uint8_t *bytes;
    size_t cap;
    size_t head, end; /* of what is kept */
    size_t max_bytes; /* 0: no operation is kept */
    uint32_t count;
} wm_retained_ops;

/* One operation; its bytes follow directly. */
typedef struct wm_retained_op {
    uint64_t since_us; /* when it was settled */
    uint64_t seq;
    uint32_t len;
    uint32_t file_version; /* as wm_op.file_version */
} wm_retained_op;

/* Frees the memory; a zeroed one is empty. */
void wm_retained_ops_close(wm_retained_ops *r);
/* Adds an operation as the newest; write its `len` bytes behind the result. NULL when the bound is
 * reached, or out of memory. */
wm_retained_op *wm_retained_ops_add(wm_retained_ops *r, uint64_t since_us, uint64_t seq, uint32_t len);
/* The oldest operation, and the one after another; NULL when there is none. Valid until the next add. */
wm_retained_op *wm_retained_ops_oldest(const wm_retained_ops *r);
wm_retained_op *wm_retained_ops_behind(const wm_retained_ops *r, const wm_retained_op *op);
/* Removes the oldest operation, which must exist. */
void wm_retained_ops_pop(wm_retained_ops *r);
#endif
