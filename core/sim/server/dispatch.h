#ifndef SIM_DISPATCH_H
#define SIM_DISPATCH_H
#include "sim/model/state.h"

/* Dispatch: from a client's frame to the handler of its message type. */

/* Handles one frame as it arrived, text or binary. May close the session, but does not free it. */
void sim_session_receive(sim_session *s, bool text, const uint8_t *bytes, size_t len);
/* Handles one message that is in the family's encoding already (see sim_recode). */
void sim_session_handle(sim_session *s, const uint8_t *bytes, size_t len);
#endif
