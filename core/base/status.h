#ifndef WM_STATUS_H
#define WM_STATUS_H

/* Results of core functions: 0 or more is success, the others are listed here:
 * X(NAME, number, code of the error that Lua returns, text). Lua takes all of it
 * from wingman.core.statuses. */
#define WM_STATUSES(X)                                                 \
    /* nothing was changed */                                          \
    X(ENOMEM, -100, "OUT_OF_MEMORY", "out of memory")                  \
    /* the op log or a queue is full: repeat later */                  \
    X(EFULL, -101, "LOG_FULL", "full")                                 \
    /* an operation is larger than the largest message to a server */  \
    X(ESIZE, -102, "TOO_LARGE", "too large")                           \
    /* an argument or a received value is invalid */                   \
    X(EINVAL, -103, "USAGE", "invalid")                                \
    /* nothing was lost; repeat later */                               \
    X(EDISK, -104, "OPLOG", "the op log's file cannot be written")     \
    /* one node's share of the op log is full: repeat later */         \
    X(ENODE, -105, "LOG_FULL", "node full")                            \
    /* a text for a MessagePack string is not valid UTF-8 */           \
    X(EUTF8, -106, "NOT_ENCODABLE", "not UTF-8")                       \
    /* the local copy holds a newer record of the key */               \
    X(ESTALE, -107, "STALE", "a newer record")                         \
    /* servers of the family store nothing in a map of this name */    \
    X(ENAME, -108, "NOT_STORABLE", "map name")                         \
    /* no answer of a server of the family can hold the record */      \
    X(EANSWER, -109, "TOO_LARGE", "answer too large")                  \
    /* servers of the family cannot pass on an integer of the value */ \
    X(EINTEGER, -110, "NOT_STORABLE", "integer beyond 2^53")

enum {
    WM_OK = 0,
#define X(name, number, code, text) WM_##name = number,
    WM_STATUSES(X)
#undef X
};

/* The text of a status below 0. Static. */
const char *wm_status_text(int status);
#endif
