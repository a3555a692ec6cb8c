#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H
#include <stdbool.h>
#include <stdint.h>

/* The faults of a node, as the control command `fault` sets them. A restart of the node keeps them. */

/* The errors with which OP_BATCHes are refused. */
#define SIM_BATCH_ERRORS(X)   \
    X(NOT_OWNER, "NOT_OWNER") \
    X(STALE_MAP, "STALE_MAP") \
    X(ERROR_500, "500")       \
    X(ERROR_429, "429")

typedef enum sim_batch_error {
#define X(name, text) SIM_BATCH_##name,
    SIM_BATCH_ERRORS(X)
#undef X
} sim_batch_error;

/* What a node does with an OP_BATCH that holds a poison message: it sends nothing, sends
 * ERROR 500, or ends the connection. */
#define SIM_POISONS(X)          \
    X(UNANSWERED, "unanswered") \
    X(REFUSED, "refused")       \
    X(CUT, "cut")

typedef enum sim_poison {
    SIM_POISON_NONE,
#define X(name, text) SIM_POISON_##name,
    SIM_POISONS(X)
#undef X
} sim_poison;

typedef struct sim_faults {
    uint64_t ack_delay_ms;
    uint32_t speed;         /* operations a second that the node works off; 0: any number */
    uint32_t inbox;         /* v2: parts of batches, one for each partition, that may be at work; 0: any number */
    uint32_t write_behind;  /* v2: operations that may wait for the disk; 0: any number */
    uint32_t disk_speed;    /* operations a second that are written to it */
    uint64_t root_delay_ms; /* of the answer to SYNC_INIT */
    uint32_t ack_drop;      /* how many of the next acknowledgements are not sent */
    uint32_t ack_duplicate; /* how many of the next acknowledgements are sent twice */
    uint32_t errors_left;   /* how many of the next batches are refused with `error` */
    sim_batch_error error;
    bool reorder;           /* delays of 0 to SIM_REORDER_MS: of acknowledgements (0.11), of batches (v2) */
    bool refuse;            /* the listener is closed: new TCP connections are refused */
    bool silent;            /* accepts TCP connections, and does not answer their upgrade */
    bool mute;              /* sends no frame on any connection, but reads as ever */
    bool nagle;             /* no TCP_NODELAY: a small message waits until the last one is acknowledged */
    bool map_withhold;      /* sends no partition map: neither pushed nor requested */
    bool map_unpushed;      /* sends partition maps on request only */
    bool map_stale;         /* pushes no new map, and answers requests with the map that it last pushed */
    bool no_auth_ack;       /* does not answer AUTH, and authenticates nobody */
    char unreadable[64];    /* closes with 1002 on a message that holds this text; "": on none */
    sim_poison poison;      /* applies no batch that has an operation with poison_key in its key */
    char poison_key[64];    /* a part of a key */
    char poison_words[160]; /* the message of ERROR 500, for SIM_POISON_REFUSED */
    bool cut;               /* after cut_left more bytes were received, resets the connection they came on */
    uint64_t cut_left;      /* over all connections of the node */
    bool cut_out;           /* after cut_out_left more bytes were sent, ends the connection, inside a frame */
    uint64_t cut_out_left;  /* over all connections of the node */
} sim_faults;

#define SIM_REORDER_MS 20
#endif
