#ifndef SIM_SESSION_H
#define SIM_SESSION_H
#include "sim/model/state.h"

/* One client at one node: it opens, sends, closes. What it says is dispatch.h's business. */

/* A client has connected (the upgrade is done). */
sim_session *sim_session_open(sim_node *node, const sim_transport *transport, void *transport_data);
/* The connection is gone; frees the session. */
void sim_session_end(sim_session *s);

/* Sends a message: in a BATCH with others where the dialect does that. */
void sim_session_send(sim_session *s, const wm_buffer *message);
/* Sends at once, past what waits. */
void sim_session_send_now(sim_session *s, const wm_buffer *message);
void sim_session_send_text(sim_session *s, const wm_buffer *text);
/* Sends what waits, then a close frame; code 0: without a code. */
void sim_session_close(sim_session *s, int code, const char *reason);
/* Takes `cost` operations from the rate limit; false when there are not enough. */
bool sim_session_spend(sim_session *s, double cost);
/* Whether this client may do more than authenticate. */
bool sim_session_ready(const sim_session *s);
#endif
