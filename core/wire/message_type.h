#ifndef WM_MESSAGE_TYPE_H
#define WM_MESSAGE_TYPE_H
#include "base/buffer.h"

/* The message types of both server families: X(NAME), with the name as in a message's `type`. Frequent
 * types come first, as names are compared in this order. */
#define WM_MESSAGE_TYPES(X)           \
    /* nodes to clients */            \
    X(OP_ACK)                         \
    X(SERVER_EVENT)                   \
    X(PONG)                           \
    X(BATCH)                          \
    X(SERVER_BATCH_EVENT)             \
    X(QUERY_UPDATE)                   \
    X(QUERY_RESP)                     \
    X(PARTITION_MAP)                  \
    X(PARTITION_MAP_DELTA)            \
    X(OP_REJECTED)                    \
    X(ERROR)                          \
    X(AUTH_REQUIRED)                  \
    X(AUTH_ACK)                       \
    X(AUTH_FAIL)                      \
    X(SYNC_RESP_ROOT)                 \
    X(SYNC_RESP_BUCKETS)              \
    X(SYNC_RESP_LEAF)                 \
    X(SYNC_RESET_REQUIRED)            \
    X(MERGE_REJECTED)                 \
    X(GC_PRUNE)                       \
    X(SHUTDOWN_PENDING)               \
    X(TOPIC_MESSAGE)                  \
    X(LOCK_GRANTED)                   \
    X(LOCK_RELEASED)                  \
    X(COUNTER_RESPONSE)               \
    X(COUNTER_UPDATE)                 \
    X(SEARCH_RESP)                    \
    X(SEARCH_UPDATE)                  \
    X(ORMAP_DIFF_RESPONSE)            \
    X(DEVICE_ACK)                     \
    /* clients to nodes; BATCH too */ \
    X(OP_BATCH)                       \
    X(CLIENT_OP)                      \
    X(PING)                           \
    X(AUTH)                           \
    X(PARTITION_MAP_REQUEST)          \
    X(QUERY_SUB)                      \
    X(QUERY_UNSUB)                    \
    X(SYNC_INIT)                      \
    X(MERKLE_REQ_BUCKET)              \
    X(TOPIC_SUB)                      \
    X(TOPIC_UNSUB)                    \
    X(TOPIC_PUB)                      \
    X(LOCK_REQUEST)                   \
    X(LOCK_RELEASE)                   \
    X(COUNTER_REQUEST)                \
    X(COUNTER_SYNC)                   \
    X(ENTRY_PROCESS)                  \
    X(ENTRY_PROCESS_BATCH)            \
    X(SEARCH)                         \
    X(SEARCH_SUB)                     \
    X(SEARCH_UNSUB)                   \
    X(JOURNAL_SUBSCRIBE)              \
    X(JOURNAL_UNSUBSCRIBE)            \
    X(JOURNAL_READ)                   \
    X(REGISTER_RESOLVER)              \
    X(UNREGISTER_RESOLVER)            \
    X(LIST_RESOLVERS)                 \
    X(ORMAP_SYNC_INIT)                \
    X(ORMAP_MERKLE_REQ_BUCKET)        \
    X(ORMAP_DIFF_REQUEST)             \
    X(ORMAP_PUSH_DIFF)                \
    X(HYBRID_SEARCH)                  \
    X(VECTOR_SEARCH)                  \
    X(SQL_QUERY)                      \
    X(DEVICE_HELLO)                   \
    X(CLIENT_APPLY_ACK)

typedef enum wm_message_type {
    WM_TYPE_OTHER, /* a type that Wingman does not know; its name is in the message */
#define X(name) WM_TYPE_##name,
    WM_MESSAGE_TYPES(X)
#undef X
        WM_MESSAGE_TYPE_COUNT
} wm_message_type;

/* The type of this name; WM_TYPE_OTHER when it is unknown. */
wm_message_type wm_message_type_of(const char *name, size_t len);
/* "" for WM_TYPE_OTHER. Static. */
const char *wm_message_type_name(wm_message_type type);
/* Appends the field `type` of a message. */
void wm_message_write_type(wm_buffer *out, wm_message_type type);
#endif
