#ifndef WM_EVENT_QUEUE_H
#define WM_EVENT_QUEUE_H
#include "base/buffer.h"

/* What the core has to tell the script, as data: callbacks of the network
 * append here, Lua drains it after the service call has returned. */

/* X(NAME, "lua name") with what the fields mean. */
#define WM_EVENTS(X)                                                              \
    X(AUTH_REQUIRED, "auth_required") /* connection */                                  \
    X(READY, "ready")                 /* connection */                                  \
    X(LOST, "lost")                   /* connection, a: reason, b: close code, text: detail; flag: was ready */ \
    X(MAP, "map")                     /* connection; a: its version; flag: the held map changed */ \
    X(MAP_ERROR, "map_error")         /* connection, text */                            \
    X(MESSAGE, "message")             /* connection, text: the MessagePack message */   \
    X(CHANGE, "change")               /* connection, a: 1 for one of a SERVER_BATCH_EVENT, 0 for a SERVER_EVENT; text: MessagePack */ \
    X(TOO_LARGE, "too_large")         /* connection, text: wm_message_describe of a message that was not read */ \
    X(TEXT, "text")                   /* connection, text: JSON */                      \
    X(SERVER_ERROR, "server_error")   /* connection, text: the MessagePack message; flag: batches were in flight */ \
    X(OP_DONE, "op_done")             /* a: seq; on the connection that acknowledged */  \
    X(OP_REJECTED, "op_rejected")     /* connection, a: seq, b: length of the key, and of the map's name times 2^16; text: key, map, reason */ \
    X(OP_TRIES, "op_tries")           /* connection, a: seq, b: tries; text: key; it stays in the log */ \
    X(OP_DROPPED, "op_dropped")       /* a: seq, text: key */                     \
    X(UNVERIFIED, "unverified")       /* a: operations that a membership change made doubtful and that are not sent again */ \
    X(ACK_TIMEOUT, "ack_timeout")     /* connection, a: operations that should have been acknowledged; flag: they are sent again */ \
    X(HIGH_WATERMARK, "high_watermark")       /* a: operations in the log */              \
    X(LOW_WATERMARK, "low_watermark")         /* a: operations in the log */              \
    X(NODE_BELOW_SHARE, "node_below_share")         /* what waits for a node is below the low watermark of its share of the log again */ \
    X(LOG_FILE, "log_file")           /* flag: the op log's file can be written again; else text: the problem's name, of b bytes, and why not */ \
    X(RESUMED, "resumed")             /* connection, a: partition, b: us since its route changed or broke off: first ack since */ \
    X(FRAME, "frame")                 /* connection, a: bytes, b: 1 for JSON; flag: sent; text: the message, or nothing when too many wait */

typedef enum wm_event_type {
    WM_EVENT_NONE,
#define X(name, key) WM_EVENT_##name,
    WM_EVENTS(X)
#undef X
} wm_event_type;

/* The Lua name of a type. Static. */
const char *wm_event_name(wm_event_type type);

typedef struct wm_event {
    wm_event_type type;
    int connection;
    bool flag;
    int64_t a;
    int64_t b;
    size_t text_at;   /* in the queue's bytes, or in the memory that it came with */
    size_t text_len;
    size_t bytes_at;  /* where the queue's bytes go on behind it */
    uint8_t *memory;  /* of a large text, else NULL */
} wm_event;

typedef struct wm_event_queue {
    wm_buffer events; /* of wm_event */
    wm_buffer bytes;
    size_t next;      /* events handed out */
    size_t taken;     /* bytes of texts that came with their memory, of events not handed out */
    uint8_t *last;    /* such memory of the event handed out last */
    uint64_t dropped; /* lost for want of memory */
} wm_event_queue;

void wm_event_queue_init(wm_event_queue *q);
void wm_event_queue_close(wm_event_queue *q);
/* Appends an event and a copy of `text` (NULL: none). */
void wm_event_queue_push(wm_event_queue *q, wm_event event, const void *text, size_t len);
/* The same with the text left where it is, in `memory`, which the queue takes. Copying
 * megabytes would be a long step for a host. */
void wm_event_queue_push_taken(wm_event_queue *q, wm_event event, const void *text, size_t len, wm_buffer *memory);
/* The oldest event and its text; NULL when there is none. Both are valid until
 * the next push or pop. */
const wm_event *wm_event_queue_pop(wm_event_queue *q, const char **text);
/* The memory that the text of the event popped last came with, for the caller to free;
 * NULL when the text was copied. */
uint8_t *wm_event_queue_take(wm_event_queue *q);
/* Bytes of events and texts that wait. */
size_t wm_event_queue_bytes(const wm_event_queue *q);
#endif
