#ifndef SIM_DISPATCH_H
#define SIM_DISPATCH_H
#include "sim/model/state.h"

/* What clients say. */

/* A frame has arrived. */
void sim_session_receive(sim_session *s, bool text, const uint8_t *bytes, size_t len);
/* The same for a frame that is in the dialect's encoding already. */
void sim_session_handle(sim_session *s, const uint8_t *bytes, size_t len);
#endif
