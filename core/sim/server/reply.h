#ifndef SIM_REPLY_H
#define SIM_REPLY_H
#include "sim/model/cluster.h"
#include "sim/wire/operation.h"

/* Messages from the server, written into the cluster's scratch buffer: begin
 * one, write its fields, send it before the next is begun. */

/* {type, and `more` further pairs} */
wm_buffer *sim_begin(sim_cluster *c, const char *type, uint32_t more);
/* {type, payload: {`fields` pairs}} */
wm_buffer *sim_begin_payload(sim_cluster *c, const char *type, uint32_t fields);
/* A pair of texts. */
void sim_put_pair(wm_buffer *b, const char *key, const char *text, size_t len);
/* {millis, counter, nodeId} */
void sim_put_timestamp(wm_buffer *b, sim_form form, uint64_t millis, uint64_t counter, const char *node, size_t len);
/* The node's clock, advanced. */
void sim_put_now(wm_buffer *b, sim_node *n);
/* {value, timestamp, ttlMs}, as the family writes a stored record. */
void sim_put_record(wm_buffer *b, sim_form form, const sim_record *r);

/* ERROR; `with_details`: details is there, and undefined. */
void sim_reply_error(sim_session *s, int code, const char *message, bool with_details);
/* OP_ACK, through the faults: delayed, lost, repeated. `id.p` NULL writes what
 * the family writes for no id; `level` (NULL: none) is achievedLevel. */
void sim_reply_ack(sim_session *s, sim_span id, const char *level);
/* Refuses a batch as the fault `error` orders. False when none is ordered. */
bool sim_reply_batch_error(sim_session *s, const sim_op *ops, uint32_t count);
#endif
