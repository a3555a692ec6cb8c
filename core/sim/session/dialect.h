#ifndef SIM_DIALECT_H
#define SIM_DIALECT_H
#include "base/msgpack.h"
#include "sim/model/query.h"
#include "sim/model/state.h"
#include "sim/wire/operation.h"
#include "wire/message.h"

/* A dialect: all in which the servers differ, except the two families' encoding of MessagePack
 * (wire/encoding.h). */
typedef struct sim_dialect {
    const char *name;    /* "v2" or "0.11" */
    const char *release; /* "0.11", "2.2.0" or "head" */
    sim_family family;
    size_t max_message;       /* bytes of a message from a client */
    bool too_big_is_fatal;    /* a larger message ends the node */
    bool too_big_ends;        /* or its connection, without a close frame; else it is ignored */
    size_t max_answer;        /* bytes of a message to a client; in place of a larger one it gets a close without a code */
    bool any_path;            /* every path may be upgraded; else only / and /ws */
    bool coalesces;           /* several messages leave as one BATCH */
    bool has_partition_trees; /* Merkle paths of one partition are answered, too */
    bool has_frozen_trees;    /* Merkle paths are those of the connection's last SYNC_INIT (model/frozen_tree.h) */
    bool keeps_records;       /* over a restart */
    bool names_devices;       /* AUTH_ACK and DEVICE_ACK give the client's device an id */
    bool queries_hang;        /* in a cluster QUERY_SUB is not answered, and holds up the connection */
    bool replicates;          /* records are moved to owner and backup; else they stay where they arrived */
    sim_sort_form sort_form;
    uint32_t drops_max; /* so many events dropped in a row end the connection, without a close frame; 0: none do */
    uint64_t idle_ms;   /* a client without PING for so long is closed; 0: never */
    int idle_code;      /* with this code and reason */
    const char *idle_reason;
    uint64_t auth_ms; /* a client that does not authenticate for so long is cut off; 0: never */
    uint64_t push_ms; /* a node pushes a new map at the latest so long after it noticed the change */

    /* The map version of a node at its start. `members` counts the members with it, `rank` those
     * that started before it. */
    uint64_t (*first_version)(uint32_t members, uint32_t rank);
    /* Writes the URL under which `viewer` advertises `node`. */
    void (*endpoint)(const sim_node *viewer, const sim_node *node, char *out, size_t size);

    /* Checks the token of AUTH, and answers. `device`: its deviceToken, ABSENT when it has none. */
    void (*authenticate)(sim_session *s, const char *token, size_t len, const wm_mp_item *device);
    /* Answers a frame that is no message in this family's encoding. */
    void (*malformed)(sim_session *s);
    /* Answers a message that its schema refuses. */
    void (*invalid)(sim_session *s);
    /* Answers a message other than AUTH from a client that is not authenticated. True when it is to
     * be handled all the same. */
    bool (*early)(sim_session *s, const wm_message *m);

    /* Handles an OP_BATCH: applies these operations, which are all of it unless the node was too full,
     * informs the subscribers, and acknowledges or refuses it. */
    void (*write_batch)(sim_session *s, const sim_op *ops, uint32_t count, sim_admission admission);
    /* Handles a CLIENT_OP in the same way. */
    void (*client_op)(sim_session *s, const sim_op *op);
    /* Informs a subscriber that `op` of `writer` changed a record at `holder`. subscription->matched
     * says whether the old record matched its query, `matches` whether the new one does. */
    void (*live_update)(sim_node *holder, struct sim_subscription *subscription, bool matches, const sim_op *op,
                        const sim_session *writer);
    /* Answers QUERY_SUB. May end the subscription. */
    void (*query_response)(sim_session *s, struct sim_subscription *subscription);
} sim_dialect;

extern const sim_dialect sim_dialect_v2; /* 2.2.0 */
extern const sim_dialect sim_dialect_head;
extern const sim_dialect sim_dialect_0_11;
#endif
