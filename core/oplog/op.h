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
    WM_OP_PENDING,   /* in a queue, or held */
    WM_OP_JOINING,   /* in the batch under construction */
    WM_OP_IN_FLIGHT, /* in a batch that was sent and is not acknowledged */
    WM_OP_ASIDE,     /* set aside after its batch failed, until its trial */
} wm_op_state;

typedef struct wm_op {
    wm_op_span span; /* its bytes as they are kept */
    uint64_t seq;    /* order of recording, from 1; stays when settled */
    uint64_t recorded_us;
    uint32_t len;      /* bytes in OP_BATCH */
    uint32_t template; /* wm_oplog_template */
    uint32_t partition;
    uint32_t late_us;      /* lateness: how much earlier than recorded_us it was due to be recorded */
    uint32_t file_version; /* the newest version of the log's file that has it (op_store.c rewrites the file at
                            * times, and numbers the versions); 0: not in the file yet */
    uint16_t key_len;
    uint16_t tag; /* of a load test, see op_metrics.h; 0: none */
    uint8_t state;
    bool notify;              /* WM_EVENT_OP_DONE when it is settled */
    uint8_t tries;            /* how often it returned unacknowledged, up to 255 */
    bool follows : 1;         /* an older operation of its key is unsettled: wm_oplog_before */
    bool is_followed : 1;     /* a newer operation of its key is in the log */
    bool is_acknowledged : 1; /* from the log's file: acknowledged in an earlier process, and to be repeated by this one */
    bool is_retained : 1;     /* stays in the log's file after it is settled: wm_oplog_retain */
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
