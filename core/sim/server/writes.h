#ifndef SIM_WRITES_H
#define SIM_WRITES_H
#include "sim/model/state.h"
#include "sim/wire/operation.h"
#include "wire/message.h"

/* OP_BATCH and CLIENT_OP, as far as both families do them alike. */

/* False when the schema refuses the message. */
bool sim_on_op_batch(sim_session *s, const wm_message *m);
bool sim_on_client_op(sim_session *s, const wm_message *m);

/* What an operation did to the store. */
typedef enum sim_effect {
    SIM_CHANGED,
    SIM_UNCHANGED,  /* an older write: the stored record stays */
    SIM_WRONG_KIND, /* an OR operation on an LWW map, or the reverse */
    SIM_NO_RECORD,  /* nothing to store */
} sim_effect;

/* Merges an operation into the node's store by last-write-wins, tells the live
 * queries there, and (0.11) keeps the backup's copy. `w` has the time that
 * counts. */
sim_effect sim_write_merge(sim_node *n, const sim_op *op, const sim_session *writer, uint64_t millis,
                           uint64_t counter, const sim_name *node);
/* v2: the record goes without a tombstone. */
void sim_write_remove(sim_node *n, const sim_op *op, const sim_session *writer);
/* The partition of the operation's key. */
uint32_t sim_write_partition(const sim_node *n, const sim_op *op);
#endif
