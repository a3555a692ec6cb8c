#ifndef SIM_REPLY_H
#define SIM_REPLY_H
#include "sim/model/state.h"
#include "sim/wire/operation.h"

/* Answers that several messages have. */

/* ERROR; `with_details`: details is there, and undefined. */
void sim_reply_error(sim_session *s, int code, const char *message, bool with_details);
/* OP_ACK, through the faults: delayed, lost, repeated. `id.p` NULL writes what
 * the family writes for no id; `level` (NULL: none) is achievedLevel. */
void sim_reply_ack(sim_session *s, sim_span id, const char *level);
/* Refuses a batch as the fault `error` orders. False when none is ordered. */
bool sim_reply_batch_error(sim_session *s, const sim_op *ops, uint32_t count);
#endif
