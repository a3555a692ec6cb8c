#ifndef SIM_WRITES_H
#define SIM_WRITES_H
#include "sim/model/state.h"
#include "sim/wire/operation.h"
#include "wire/message.h"

/* Writes: the part of OP_BATCH and CLIENT_OP that both families share. */

/* Handle OP_BATCH and CLIENT_OP. False when the schema refuses the message. */
bool sim_on_op_batch(sim_session *s, const wm_message *m);
bool sim_on_client_op(sim_session *s, const wm_message *m);

/* What an operation did to the store. */
typedef enum sim_effect {
    SIM_CHANGED,    /* it was stored */
    SIM_UNCHANGED,  /* the stored record is as new or newer, and stays */
    SIM_WRONG_KIND, /* an OR operation on an LWW map, or the reverse */
    SIM_NO_RECORD,  /* it has no record, or is an OR operation, which is not simulated */
} sim_effect;

/* Merges an operation into the node's store by last-write-wins; `millis`, `counter` and `node` are
 * the timestamp that counts. Informs the subscribers, and (0.11) copies the record to the backup. */
sim_effect sim_write_merge(sim_node *n, const sim_op *op, const sim_session *writer, uint64_t millis,
                           uint64_t counter, const sim_name *node);
/* Removes the record of the operation's key without a tombstone, as v2 does, whatever its
 * timestamp; informs the subscribers. */
void sim_write_remove(sim_node *n, const sim_op *op, const sim_session *writer);
/* The partition of the operation's key. */
uint32_t sim_write_partition(const sim_node *n, const sim_op *op);
#endif
