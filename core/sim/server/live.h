#ifndef SIM_LIVE_H
#define SIM_LIVE_H
#include "sim/model/state.h"
#include "sim/model/subscription.h"
#include "sim/wire/operation.h"

/* What subscribers hear of a write: updates of their queries, and events. */

/* Notes which queries the record matches before it changes; NULL: none. */
void sim_live_before(sim_subscription *listeners, const sim_record *r);
/* Tells, by the dialect's manners, what `op` changed at `holder`. */
void sim_live_after(sim_node *holder, sim_subscription *listeners, const sim_op *op, const sim_session *writer);

/* Begins a round of events: sim_live_is_new is true once per session in it. */
void sim_live_round(sim_cluster *c);
bool sim_live_is_new(sim_session *s);

/* The update's name: ENTER, UPDATE, LEAVE, or NULL when nothing changed. */
const char *sim_live_change(bool matched, bool matches);
/* Writes QUERY_UPDATE; the last field is `field` with the name of the change. */
wm_buffer *sim_live_query_update(sim_subscription *sub, const sim_op *op, bool present, const char *field,
                                 const char *change);
#endif
