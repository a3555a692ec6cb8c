#ifndef SIM_FIELDS_H
#define SIM_FIELDS_H
#include "sim/model/state.h"
#include "wire/message_type.h"

/* Writing messages of the server, in the cluster's scratch buffer: begin a message, write its
 * fields, send it before the next one begins. */

/* Begins {type, ...}; the caller writes `more` further pairs. */
wm_buffer *sim_begin(sim_cluster *c, wm_message_type type, uint32_t more);
/* Begins {type, payload: {...}}; the caller writes the payload's `fields` pairs. */
wm_buffer *sim_begin_payload(sim_cluster *c, wm_message_type type, uint32_t fields);
/* Writes a key and a string. */
void sim_put_pair(wm_buffer *b, const char *key, const char *text, size_t len);
/* Writes {millis, counter, nodeId}. */
void sim_put_timestamp(wm_buffer *b, sim_family family, uint64_t millis, uint64_t counter, const char *node, size_t len);
/* Advances the node's clock, and writes its timestamp. */
void sim_put_now(wm_buffer *b, sim_node *n);
/* Writes {value, timestamp, ttlMs} of a stored record; 0.11 leaves ttlMs out when there is none. */
void sim_put_record(wm_buffer *b, sim_family family, const sim_record *r);
#endif
