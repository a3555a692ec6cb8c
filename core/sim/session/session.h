#ifndef SIM_SESSION_H
#define SIM_SESSION_H
#include "sim/model/state.h"

/* A session: one client at one node. Here it opens, sends and closes; dispatch.h handles what it
 * receives. */

/* Opens a session after the upgrade, and asks for AUTH where the dialect does. It lives until
 * sim_session_end, which the transport calls; `transport_data` has to live as long. */
sim_session *sim_session_open(sim_node *node, const sim_transport *transport, void *transport_data);
/* Ends and frees the session, after its connection has ended. */
void sim_session_end(sim_session *s);

/* The send functions copy the message, and send nothing once the session closes. */

/* Sends a message; where the dialect coalesces, up to 2 ms later, in a BATCH with others. */
void sim_session_send(sim_session *s, const wm_buffer *message);
/* Sends a message at once, before those that wait for a BATCH. */
void sim_session_send_now(sim_session *s, const wm_buffer *message);
/* Sends an event, or drops it without a word when options->event_queue events wait already. Where the
 * dialect says so, many in a row end the connection. */
void sim_session_send_event(sim_session *s, const wm_buffer *message);
/* The transport calls it when nothing waits there any more. */
void sim_session_emptied(sim_session *s);
/* Sends a text frame at once. */
void sim_session_send_text(sim_session *s, const wm_buffer *text);
/* Sends the messages that wait, then a close frame; code 0: without a code. */
void sim_session_close(sim_session *s, int code, const char *reason);
/* Takes `cost` operations from the rate limit; false, and nothing is taken, when it allows fewer now. */
bool sim_session_spend(sim_session *s, double cost);
/* Whether the client is authenticated, or needs not be. */
bool sim_session_ready(const sim_session *s);
#endif
