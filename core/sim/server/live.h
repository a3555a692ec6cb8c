#ifndef SIM_LIVE_H
#define SIM_LIVE_H
#include "sim/model/state.h"
#include "sim/model/subscription.h"
#include "sim/wire/operation.h"

/* What subscribers receive after a write: updates of their queries, and map events. `listeners` is
 * the first subscription of the map. */

/* Before a write: sets `matched` of each subscription by the old record (NULL: there is none). */
void sim_live_before(sim_subscription *listeners, const sim_record *r);
/* After the write `op` at `holder`: has the dialect inform each subscriber. */
void sim_live_after(sim_node *holder, sim_subscription *listeners, const sim_op *op, const sim_session *writer);

/* Begins a round: the sending of one event, which a session with several subscriptions gets once. */
void sim_live_round(sim_cluster *c);
/* True at the first call for a session in a round. */
bool sim_live_is_new(sim_session *s);

/* The name of a change of a query's result: ENTER, UPDATE or LEAVE; NULL when the record neither
 * matched nor matches. */
const char *sim_live_change(bool matched, bool matches);
/* Writes QUERY_UPDATE into the cluster's scratch buffer. `field` is the key of the change's name,
 * in which the dialects differ; the value is nil unless `present`. */
wm_buffer *sim_live_query_update(sim_subscription *sub, const sim_op *op, bool present, const char *field,
                                 const char *change);
#endif
