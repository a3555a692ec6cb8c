#ifndef SIM_OR_MAPS_H
#define SIM_OR_MAPS_H
#include "sim/model/state.h"
#include "wire/message.h"

/* The dialogue about OR-maps, whose records are not simulated. v2: ORMAP_DIFF_REQUEST is answered as for keys
 * that hold nothing, without `coveringEpoch`, as 2.2.0 answers. 0.11: no answer. False when the schema refuses
 * the message. */
bool sim_on_or_map_diff_request(sim_session *s, const wm_message *m);
#endif
