#include "sim/model/placement.h"

#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
    return strcmp((*(sim_node *const *)a)->id, (*(sim_node *const *)b)->id);
}

/* Where `node` stands among the members. */
static uint32_t rank_of(sim_node *const *members, uint32_t count, uint16_t index)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i]->index == index) return i;
    return count;
}

void sim_placement_update(sim_cluster *c)
{
    sim_node *members[SIM_NODES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++)
        if (c->nodes[i]->member) members[count++] = c->nodes[i];
    qsort(members, count, sizeof *members, by_id);

    for (uint32_t p = 0; p < c->options->partitions; p++) {
        if (count == 0) {
            c->owners[p] = c->backups[p] = SIM_NO_NODE;
            continue;
        }
        uint32_t rank = p % count;
        if (c->moved_to[p] != SIM_NO_NODE) {
            uint32_t ordered = rank_of(members, count, c->moved_to[p]);
            if (ordered < count) rank = ordered;
        }
        c->owners[p] = members[rank]->index;
        c->backups[p] = count > 1 ? members[(rank + 1) % count]->index : SIM_NO_NODE;
    }
}

bool sim_placement_holds(const sim_node *n, uint32_t partition)
{
    const sim_cluster *c = n->cluster;
    return c->owners[partition] == n->index || c->backups[partition] == n->index;
}

void sim_placement_copy(sim_node *to, const sim_name *map, const sim_write *w)
{
    sim_map *m = sim_store_map(&to->store, map, SIM_MAP_LWW);
    sim_write own = *w; /* the nodes may hash differently */
    own.key_hash = wm_hash(to->store.hash, w->key, w->key_len);
    sim_record *r = sim_map_find(m, own.key_hash, w->key, w->key_len);
    if (sim_record_loses(r, w->millis, w->counter, w->node)) sim_map_put(&to->store, m, r, &own);
}

/* Whether `to` has the record now. */
static bool hand_over(sim_cluster *c, uint16_t to, const sim_node *from, const sim_name *map, const sim_record *r)
{
    if (to == SIM_NO_NODE || !c->nodes[to]->running) return false;
    if (to == from->index) return true;
    sim_write w = {
        .key = r->key,
        .key_len = r->key_len,
        .key_hash = r->item.key_hash,
        .value = r->value,
        .value_len = r->value_len,
        .millis = r->millis,
        .counter = r->counter,
        .node = r->node,
        .ttl_ms = r->ttl_ms,
    };
    sim_placement_copy(c->nodes[to], map, &w);
    return true;
}

void sim_placement_redistribute(sim_cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        sim_node *n = c->nodes[i];
        if (!n->running || !n->member) continue;
        for (sim_map *m = n->store.maps; m != NULL; m = m->next) {
            for (sim_record *r = m->first, *next; r != NULL; r = next) {
                uint32_t partition = sim_partition_of(c, r->item.key_hash);
                next = r->next;
                bool owner_has_it = hand_over(c, c->owners[partition], n, m->name, r);
                bool backup_has_it = hand_over(c, c->backups[partition], n, m->name, r);
                bool elsewhere = owner_has_it || backup_has_it; /* else both are down, unnoticed yet */
                if (elsewhere && !sim_placement_holds(n, partition)) sim_map_remove(m, r);
            }
        }
    }
}
