#ifndef SIM_MAP_MESSAGE_H
#define SIM_MAP_MESSAGE_H
#include "sim/model/state.h"
#include "wire/message.h"

/* Partition maps: requests for them, and pushes after a change. */

/* Handles PARTITION_MAP_REQUEST: sends the map when it is newer than the client's. False when the
 * schema refuses the message. */
bool sim_on_map_request(sim_session *s, const wm_message *m);
/* The cluster has changed. At a random moment within `spread_ms` the node adopts the change and
 * increments its map's version; within dialect->push_ms after that it pushes the map. */
void sim_map_changed(sim_node *n, uint64_t spread_ms);
/* Sets the node's view to the cluster's present placement and members. */
void sim_map_adopt(sim_node *n);
/* Records the node's present map as the last one pushed, from which deltas start. */
void sim_map_remember_pushed(sim_node *n);
#endif
