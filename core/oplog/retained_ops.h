#ifndef WM_RETAINED_OPS_H
#define WM_RETAINED_OPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Operations that have left the log and stay in its file for a while, in the order in which they
 * left. The bytes that they take are bounded. Nothing is allocated once the bytes that are needed
 * were needed before. */
typedef struct wm_retained_ops {
    uint8_t *bytes;
    size_t cap;
    size_t head, end; /* of what is kept */
    size_t max_bytes; /* 0: nothing is kept */
    uint32_t count;
} wm_retained_ops;

/* In front of each operation's bytes, which follow directly. */
typedef struct wm_retained_op {
    uint64_t since_us; /* when it left the log */
    uint64_t seq;
    uint32_t len;
    uint32_t writing; /* as wm_op.writing */
} wm_retained_op;

/* Frees the memory; a zeroed one is empty. */
void wm_retained_ops_close(wm_retained_ops *r);
/* Adds an operation, behind the others; its bytes go where the result's do. NULL when the bound is
 * reached, or out of memory. */
wm_retained_op *wm_retained_ops_add(wm_retained_ops *r, uint64_t since_us, uint64_t seq, uint32_t len);
/* The oldest one, and the one behind another; NULL when there is none. Valid until the next add. */
wm_retained_op *wm_retained_ops_oldest(const wm_retained_ops *r);
wm_retained_op *wm_retained_ops_behind(const wm_retained_ops *r, const wm_retained_op *op);
/* Takes the oldest one out; there is one. */
void wm_retained_ops_pop(wm_retained_ops *r);
#endif
