#include "router.h"

#include <stdlib.h>
#include <string.h>

#include "status.h"

typedef struct source {
    wm_partition_map *map;
    uint64_t version;  /* given in the present connection, 0: none yet */
    uint64_t revision; /* grows with every map or delta taken */
} source;

struct wm_router {
    source *sources;
    uint32_t count;
    int held;
    uint64_t held_revision;
    uint64_t generation;
    wm_routing_metrics metrics;
};

wm_router *wm_router_new(void)
{
    wm_router *r = calloc(1, sizeof *r);
    if (r != NULL) r->held = -1;
    return r;
}

void wm_router_free(wm_router *r)
{
    if (r == NULL) return;
    for (uint32_t i = 0; i < r->count; i++) wm_partition_map_free(r->sources[i].map);
    free(r->sources);
    free(r);
}

static source *source_at(wm_router *r, int id)
{
    uint32_t need = (uint32_t)id + 1;
    if (need > r->count) {
        source *grown = realloc(r->sources, need * sizeof *grown);
        if (grown == NULL) return NULL;
        memset(grown + r->count, 0, (need - r->count) * sizeof *grown);
        r->sources = grown;
        r->count = need;
    }
    return &r->sources[id];
}

int wm_router_source_began(wm_router *r, int id)
{
    source *s = source_at(r, id);
    if (s == NULL) return WM_ENOMEM;
    s->version = 0;
    return WM_OK;
}

int wm_router_offer(wm_router *r, int id, wm_partition_map *map)
{
    source *s = source_at(r, id);
    if (s == NULL) {
        wm_partition_map_free(map);
        return WM_ENOMEM;
    }
    if (s->version != 0 && map->version <= s->version) {
        wm_partition_map_free(map);
        return 0;
    }
    wm_partition_map_free(s->map);
    s->map = map;
    s->version = map->version;
    s->revision++;
    return 1;
}

int wm_router_apply_delta(wm_router *r, int id, const uint8_t *payload, size_t len, const char **error)
{
    source *s = source_at(r, id);
    if (s == NULL || s->map == NULL || s->version == 0) {
        *error = "partition map delta: no map of this node is held";
        return WM_EINVAL;
    }
    int result = wm_partition_map_apply_delta(s->map, payload, len, error);
    if (result < 0) return result;
    s->version = s->map->version;
    s->revision++;
    return WM_OK;
}

typedef struct judgement {
    uint32_t reachable; /* of the nodes that it names */
    uint32_t lost;      /* partitions that it gives to nodes that were lost */
} judgement;

static judgement judge(const wm_partition_map *map, wm_node_sight (*sight)(void *, const char *), void *user)
{
    judgement j = {0, 0};
    for (uint32_t i = 0; i < map->node_count; i++) {
        wm_node_sight seen = sight(user, map->nodes[i].id);
        if (seen == WM_NODE_REACHABLE) j.reachable++;
        if (seen != WM_NODE_LOST) continue;
        for (uint32_t p = 0; p < map->partition_count; p++) j.lost += map->owners[p] == i;
    }
    return j;
}

bool wm_router_choose(wm_router *r, wm_node_sight (*sight)(void *user, const char *node_id), void *user)
{
    int best = -1;
    judgement best_is = {0, 0};
    for (uint32_t i = 0; i < r->count; i++) {
        const wm_partition_map *map = r->sources[i].map;
        if (map == NULL) continue;
        judgement is = judge(map, sight, user);
        bool better = best < 0;
        if (!better && is.reachable != best_is.reachable) better = is.reachable > best_is.reachable;
        else if (!better && is.lost != best_is.lost) better = is.lost < best_is.lost;
        else if (!better) better = map->generated_at_ms > r->sources[best].map->generated_at_ms;
        if (!better) continue;
        best = (int)i;
        best_is = is;
    }
    if (best < 0) return false;
    if (best == r->held && r->sources[best].revision == r->held_revision) return false;
    r->held = best;
    r->held_revision = r->sources[best].revision;
    r->generation++;
    return true;
}

const wm_partition_map *wm_router_map(const wm_router *r)
{
    return r->held < 0 ? NULL : r->sources[r->held].map;
}

int wm_router_map_source(const wm_router *r)
{
    return r->held;
}

uint64_t wm_router_version_of(const wm_router *r, int id)
{
    return (uint32_t)id < r->count ? r->sources[id].version : 0;
}

wm_routing_metrics *wm_router_metrics(wm_router *r)
{
    return &r->metrics;
}

uint64_t wm_router_generation(const wm_router *r)
{
    return r->generation;
}
