#ifndef SIM_REPLY_H
#define SIM_REPLY_H
#include "sim/model/state.h"
#include "sim/wire/operation.h"

/* Answers that several handlers send. */

/* Sends ERROR at once. `with_details` (0.11 only) adds the member details, which is undefined. */
void sim_reply_error(sim_session *s, int code, const char *message, bool with_details);
/* Sends OP_ACK, unless a fault drops it; faults may delay or duplicate it, too. `id` is lastId (p
 * NULL: the batch had no id); `level` is achievedLevel, NULL to leave it out. */
void sim_reply_ack(sim_session *s, sim_span id, const char *level);
/* Refuses a batch with the error of the fault `error`, and counts it. False, and nothing is sent,
 * when the fault is not set. */
bool sim_reply_batch_error(sim_session *s, const sim_op *ops, uint32_t count);
#endif
