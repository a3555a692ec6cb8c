/* How much a replica has, and what there is no room for. */
#include "replica/replica_state.h"

/* -- room: wm_replica_options.space ---------------------------------------------------- */

void wm_replica_run_short(wm_replica *r, wm_replica_node *n)
{
    r->turns += !n->sync.is_resting;
    wm_sync_run_short(&n->sync);
}

static bool has_room(const wm_replica *r)
{
    return r->options.space == NULL || r->options.space->used < r->options.space->most;
}

void wm_replica_resume(wm_replica *r)
{
    if (!has_room(r)) return;
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (r->nodes[i] == NULL || !r->nodes[i]->sync.is_resting) continue;
        wm_sync_resume(&r->nodes[i]->sync);
        r->turns++;
    }
}

/* -- figures --------------------------------------------------------------------------- */

static void count_short(const wm_replica *r, wm_replica_figures *f)
{
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (r->nodes[i] == NULL) continue;
        f->short_of += r->nodes[i]->sync.is_short;
        f->is_full |= r->nodes[i]->sync.is_resting;
    }
    for (uint32_t i = 0; i < r->restored_count; i++) f->short_of += r->restored[i].is_cut;
    f->is_full |= f->short_of > 0 && !has_room(r);
}

uint64_t wm_replica_turns(const wm_replica *r)
{
    return r->turns;
}

wm_replica_figures wm_replica_figures_of(const wm_replica *r)
{
    wm_replica_figures f = r->figures;
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (r->nodes[i] == NULL) continue;
        f.records += wm_holding_count(r->nodes[i]->holding);
        if (r->nodes[i]->gone != NULL) f.gone += wm_holding_count(r->nodes[i]->gone);
    }
    for (uint32_t i = 0; i < r->restored_count; i++) f.records += wm_holding_count(r->restored[i].holding);
    for (uint32_t i = 0; i < r->lost_count; i++)
        *(r->lost[i].is_sifted ? &f.lost : &f.gone) += wm_holding_count(r->lost[i].holding);
    count_short(r, &f);
    return f;
}
