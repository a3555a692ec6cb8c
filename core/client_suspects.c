#include "client_internal.h"

/* Connections that have to break off over one operation before it is rejected. */
#define PROOFS 3

void wm_client_suspect(wm_client *c, int lane)
{
    static const char reason[] = "the server closes the connection over it (close code 1002): it cannot be read";
    uint32_t in_flight = wm_batcher_load(c->batcher, lane).in_flight_ops;
    if (in_flight == 0) return;
    uint32_t index = wm_batcher_sole_in_flight(c->batcher, lane);
    if (index == WM_NO_OP) {
        wm_batcher_narrow(c->batcher, lane, in_flight / 2);
        return;
    }
    uint64_t seq = wm_oplog_at(c->log, index)->seq;
    if (c->suspect.seq != seq) c->suspect = (wm_suspect){.seq = seq};
    wm_batcher_narrow(c->batcher, lane, 1);
    if (++c->suspect.times < PROOFS) return;
    wm_client_reject(c, lane, index, reason, sizeof reason - 1);
    wm_batcher_narrow(c->batcher, lane, 0);
}
