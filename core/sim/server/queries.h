#ifndef SIM_QUERIES_H
#define SIM_QUERIES_H
#include "sim/model/state.h"
#include "wire/message.h"

/* Handle QUERY_SUB and QUERY_UNSUB. False when the schema refuses the message. */
bool sim_on_query_sub(sim_session *s, const wm_message *m);
bool sim_on_query_unsub(sim_session *s, const wm_message *m);

/* Appends {key, value} of each record: the elements of an array whose header the caller has written. */
void sim_put_results(wm_buffer *b, sim_family family, sim_record **records, uint32_t count);
#endif
