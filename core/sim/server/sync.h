#ifndef SIM_SYNC_H
#define SIM_SYNC_H
#include "sim/model/state.h"
#include "wire/message.h"

/* Merkle sync: a client compares its local copy with the node's records, trie node by trie node.
 * Handle SYNC_INIT and MERKLE_REQ_BUCKET. False when the schema refuses the message. */
bool sim_on_sync_init(sim_session *s, const wm_message *m);
bool sim_on_merkle_request(sim_session *s, const wm_message *m);
#endif
