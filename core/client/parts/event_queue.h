#ifndef WM_EVENT_QUEUE_H
#define WM_EVENT_QUEUE_H
#include "base/buffer.h"

/* Events of the core for the script. Callbacks of the network append them; Lua takes them after the
 * iteration of the loop has returned, as these callbacks must not call Lua. */

/* X(NAME, "lua name"), and the fields that the event has. */
#define WM_EVENTS(X)                                                                                                                                   \
    X(AUTH_REQUIRED, "auth_required")       /* connection */                                                                                           \
    X(READY, "ready")                       /* connection */                                                                                           \
    X(LOST, "lost")                         /* connection, a: reason, b: close code, text: detail; flag: was ready */                                  \
    X(MAP, "map")                           /* connection; a: version of the node's map; flag: the held map changed */                                 \
    X(MAP_ERROR, "map_error")               /* connection, text */                                                                                     \
    X(MESSAGE, "message")                   /* connection, text: the MessagePack message */                                                            \
    X(MAP_EVENT, "map_event")               /* connection, a: 1 for one of a SERVER_BATCH_EVENT, 0 for a SERVER_EVENT; text: MessagePack */            \
    X(SHOWN, "shown")                       /* a: length of the key; text: key, map: the local copy shows another value */                             \
    X(TOO_LARGE, "too_large")               /* connection, text: wm_message_describe of a message that was not read */                                 \
    X(TEXT, "text")                         /* connection, text: JSON */                                                                               \
    X(SERVER_ERROR, "server_error")         /* connection, text: the MessagePack message; flag: batches were in flight */                              \
    X(OP_DONE, "op_done")                   /* a: seq; on the connection that acknowledged */                                                          \
    X(OP_REJECTED, "op_rejected")           /* connection, a: seq, b: length of the key, and of the map's name times 2^16; text: key, map, reason */   \
    X(OP_TRIES, "op_tries")                 /* connection, a: seq, b: tries; text: key; it stays in the log */                                         \
    X(OP_DROPPED, "op_dropped")             /* a: seq, text: key */                                                                                    \
    X(UNVERIFIED, "unverified")             /* a: operations that a membership change put in doubt and that cannot be repeated */                      \
    X(ACK_TIMEOUT, "ack_timeout")           /* connection, a: operations past their deadline; flag: they are sent again */                             \
    X(HIGH_WATERMARK, "high_watermark")     /* a: operations in the log */                                                                             \
    X(LOW_WATERMARK, "low_watermark")       /* a: operations in the log */                                                                             \
    X(NODE_BELOW_SHARE, "node_below_share") /* a full node is below the low watermark of its share of the log */                                       \
    X(LOG_FILE, "log_file")                 /* flag: the op log's file can be written again; else text: the problem's name, of b bytes, and why not */ \
    X(RESUMED, "resumed")                   /* connection, a: partition: its first acknowledgement, b us after its route or connection changed */      \
    X(FRAME, "frame")                       /* connection, a: bytes, b: 1 for JSON; flag: sent; text: the message, or nothing when too many events wait */

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
    size_t text_at; /* place of the text in the queue's bytes, or in `memory` */
    size_t text_len;
    size_t bytes_at; /* end of the event in the queue's bytes */
    uint8_t *memory; /* holds a large text; NULL: none */
} wm_event;

typedef struct wm_event_queue {
    wm_buffer events; /* of wm_event */
    wm_buffer bytes;
    size_t next;      /* number of events popped */
    size_t taken;     /* bytes of large texts, in memory of their own, of events not popped yet */
    uint8_t *last;    /* such memory of the event popped last */
    uint64_t dropped; /* events lost for want of memory */
} wm_event_queue;

void wm_event_queue_init(wm_event_queue *q);
void wm_event_queue_close(wm_event_queue *q);
/* Appends an event and a copy of `text` (NULL: none). When out of memory, the event is counted as
 * dropped. */
void wm_event_queue_push(wm_event_queue *q, wm_event event, const void *text, size_t len);
/* The same without a copy: the queue takes over `memory`, in which the text lies. Copying megabytes would
 * make a step of a host long. When out of memory, the event is counted as dropped and `memory` stays the
 * caller's. */
void wm_event_queue_push_taken(wm_event_queue *q, wm_event event, const void *text, size_t len, wm_buffer *memory);
/* The oldest event and its text; NULL when there is none. Both are valid until
 * the next push or pop. */
const wm_event *wm_event_queue_pop(wm_event_queue *q, const char **text);
/* Gives the caller the memory of the text of the event popped last, to be freed; NULL when the text was
 * copied. */
uint8_t *wm_event_queue_take(wm_event_queue *q);
/* Bytes of the events that were not popped yet, with their texts. */
size_t wm_event_queue_bytes(const wm_event_queue *q);
#endif
