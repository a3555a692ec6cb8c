/* Which operations came to be held: for whoever warns of them, once a tick. */
#include "oplog/batcher_state.h"

static bool is_held(wm_batcher *b, const wm_op *op)
{
    return op->state == WM_OP_PENDING && b->partitions[op->partition].lane == WM_LANE_NONE;
}

/* Partitions that lost their route have operations that were added before. */
static void walk_all(wm_batcher *b, uint64_t after, void (*held)(void *user, const wm_op *op), void *user)
{
    uint32_t told = 0;
    for (uint32_t i = 0; i < b->partition_count; i++) {
        const partition *p = &b->partitions[i];
        if (p->lane != WM_LANE_NONE || p->tail == WM_NO_OP) continue;
        if (wm_oplog_at(b->log, p->tail)->seq <= after) continue; /* a queue is in order */
        for (uint32_t at = p->head; at != WM_NO_OP; at = *wm_oplog_next(b->log, at)) {
            const wm_op *op = wm_oplog_at(b->log, at);
            if (op->seq <= after) continue;
            if (told++ == WM_NEWLY_HELD_MAX) return;
            held(user, op);
        }
    }
}

void wm_batcher_newly_held(wm_batcher *b, uint64_t after, void (*held)(void *user, const wm_op *op), void *user)
{
    wm_batcher_gather_strays(b);
    uint32_t count = b->newly_held_count;
    bool all = b->has_lost_routes;
    b->newly_held_count = 0;
    b->has_lost_routes = false;
    if (all) {
        walk_all(b, after, held, user);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const wm_op *op = wm_oplog_at(b->log, b->newly_held[i]); /* or another that took its place */
        if (op->seq > after && is_held(b, op)) held(user, op);
    }
}
