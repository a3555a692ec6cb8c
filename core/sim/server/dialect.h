#ifndef SIM_DIALECT_H
#define SIM_DIALECT_H
#include "sim/model/state.h"
#include "sim/wire/operation.h"
#include "wire/message.h"

/* The differences between the two server families, but for their encoding of MessagePack
 * (wire/encoding.h). */
typedef struct sim_dialect {
    const char *name;
    sim_family family;
    size_t max_message;    /* bytes of one message from a client */
    bool too_big_is_fatal; /* a larger one ends the node, else it is ignored */
    size_t max_answer;     /* bytes of one to a client: it gets a close without a code in place of a larger one */
    bool any_path;         /* every path upgrades, else only / and /ws */
    bool coalesces;        /* sends BATCH */
    bool keeps_empty;      /* Merkle nodes stay when they are emptied */
    bool replicates;       /* owner and backup hold a partition; else nobody but the receiver */
    uint64_t idle_ms;      /* without PING; 0: for ever */
    uint64_t push_ms;      /* the latest that a new map is pushed */

    /* The map version of a node that starts among `members` nodes, the first of
     * them or a later one (`rank` from 0). */
    uint64_t (*first_version)(uint32_t members, uint32_t rank);
    /* `viewer` writes the advertised URL of `node`. */
    void (*endpoint)(const sim_node *viewer, const sim_node *node, char *out, size_t size);

    void (*authenticate)(sim_session *s, const char *token, size_t len);
    /* Bytes that are no message of this family at all. */
    void (*malformed)(sim_session *s);
    /* A message that does not fit its schema. */
    void (*invalid)(sim_session *s);
    /* A message before AUTH. Whether it is handled all the same. */
    bool (*early)(sim_session *s, const wm_message *m);

    /* A whole OP_BATCH: applies, tells the subscribers, acknowledges. */
    void (*write_batch)(sim_session *s, const sim_op *ops, uint32_t count);
    void (*client_op)(sim_session *s, const sim_op *op);
    /* A record changed at `holder`: live updates. `subscription` knows whether
     * it matched before (`matched`), `matches` says now. */
    void (*live_update)(sim_node *holder, struct sim_subscription *subscription, bool matches, const sim_op *op,
                        const sim_session *writer);
    /* The answer to QUERY_SUB. */
    void (*query_response)(sim_session *s, struct sim_subscription *subscription);
} sim_dialect;

extern const sim_dialect sim_dialect_v2;
extern const sim_dialect sim_dialect_0_11;
#endif
