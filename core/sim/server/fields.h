#ifndef SIM_FIELDS_H
#define SIM_FIELDS_H
#include "sim/model/state.h"
#include "wire/message_type.h"

/* Messages from the server, written into the cluster's scratch buffer: begin
 * one, write its fields, send it before the next is begun. */

/* {type, and `more` further pairs} */
wm_buffer *sim_begin(sim_cluster *c, wm_message_type type, uint32_t more);
/* {type, payload: {`fields` pairs}} */
wm_buffer *sim_begin_payload(sim_cluster *c, wm_message_type type, uint32_t fields);
/* A pair of texts. */
void sim_put_pair(wm_buffer *b, const char *key, const char *text, size_t len);
/* {millis, counter, nodeId} */
void sim_put_timestamp(wm_buffer *b, sim_family family, uint64_t millis, uint64_t counter, const char *node, size_t len);
/* The node's clock, advanced. */
void sim_put_now(wm_buffer *b, sim_node *n);
/* {value, timestamp, ttlMs}, as the family writes a stored record. */
void sim_put_record(wm_buffer *b, sim_family family, const sim_record *r);
#endif
