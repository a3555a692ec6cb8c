#ifndef WM_OP_H
#define WM_OP_H
#include <stdbool.h>
#include <stdint.h>

#include "oplog/op_arena.h"
#include "wire/op_encoding.h"

/* One operation of the op log. */

#define WM_NO_OP 0u /* operations are named by index; 0 is none */

typedef enum wm_op_state {
    WM_OP_FREE,
    WM_OP_PENDING,   /* held or queued */
    WM_OP_JOINING,   /* in the batch that is being cut */
    WM_OP_IN_FLIGHT, /* in a batch that was sent */
    WM_OP_ASIDE,     /* was in a batch that failed, and is tried apart from the others */
} wm_op_state;

typedef struct wm_op {
    wm_op_span span;      /* its bytes as they are kept */
    uint64_t seq;         /* order of recording, from 1; stays when settled */
    uint64_t recorded_us;
    uint32_t len;         /* bytes in OP_BATCH */
    uint32_t template;    /* what it shares with others; wm_oplog_template */
    uint32_t partition;
    uint32_t late_us;     /* how much earlier than recorded_us it was meant to be recorded */
    uint32_t writing;     /* which writing of the log's file has it, see op_store.c; 0: none yet */
    uint16_t key_len;
    uint16_t tag;         /* what it belongs to in a load test, see op_metrics.h; 0: nothing */
    uint8_t state;
    bool notify;          /* somebody waits for this one operation */
    uint8_t tries;        /* how often it came back unacknowledged, up to 255 */
    bool follows : 1;     /* an older operation of its key is not settled; wm_oplog_before */
    bool is_followed : 1; /* a newer one is there */
    bool is_acknowledged : 1; /* by the file: an earlier process was told so, and this one is to send it once more */
    bool is_retained : 1; /* stays in the log's file when it is settled: wm_oplog_retain */
} wm_op;

/* Its key, op->key_len bytes; valid until the log changes. */
static inline const char *wm_op_key(const wm_op *op)
{
    return (const char *)op->span.bytes + wm_op_key_at(op->key_len);
}

/* Its id, WM_OP_ID_LEN characters; valid until the log changes. */
static inline const char *wm_op_id(const wm_op *op)
{
    return (const char *)op->span.bytes + WM_OP_ID_AT;
}
#endif
