#ifndef SIM_MAP_MESSAGE_H
#define SIM_MAP_MESSAGE_H
#include "sim/model/state.h"
#include "wire/message.h"

/* PARTITION_MAP: requests, and pushes after a change. */

/* PARTITION_MAP_REQUEST. False when its schema refuses it. */
bool sim_on_map_request(sim_session *s, const wm_message *m);
/* The cluster has changed: the node notices up to `spread_ms` later. Then its view and its
 * version change, and its clients get the new map a moment later. */
void sim_map_changed(sim_node *n, uint64_t spread_ms);
/* The node sees the cluster as it is. */
void sim_map_adopt(sim_node *n);
/* What later deltas start from. */
void sim_map_remember_pushed(sim_node *n);
#endif
