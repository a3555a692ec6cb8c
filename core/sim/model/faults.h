#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H
#include <stdbool.h>
#include <stdint.h>

/* What a node was ordered to do wrong. They outlive a restart of the node. */

/* How the next OP_BATCHes are refused. */
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

/* What becomes of an OP_BATCH with a poison message. */
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
    uint32_t ack_drop;      /* acknowledgements still to be lost */
    uint32_t ack_duplicate; /* acknowledgements still to be sent twice */
    uint32_t errors_left;   /* batches still to be refused, as `error` says */
    sim_batch_error error;
    bool reorder;      /* random delays of 0 to SIM_REORDER_MS */
    bool refuse;       /* nothing listens */
    bool silent;       /* upgrades are not answered */
    bool mute;         /* nothing leaves any more */
    bool map_withhold; /* neither maps nor answers to map requests */
    bool map_unpushed; /* maps for who asks only */
    bool map_stale;    /* does not notice changes: answers with the map that it last pushed */
    bool no_auth_ack;
    char unreadable[64];    /* closes with 1002 on a message that holds these bytes; "": on none */
    sim_poison poison;      /* nothing of a batch is applied that has an operation whose key */
    char poison_key[64];    /* holds this text; */
    char poison_words[160]; /* ERROR 500 says this, when it is refused */
    bool cut;               /* reset the connection on which byte cut_left arrives */
    uint64_t cut_left;
    bool cut_out; /* end the connection in the frame with the byte cut_out_left that leaves */
    uint64_t cut_out_left;
} sim_faults;

#define SIM_REORDER_MS 20
#endif
