#include "cluster/map_chooser.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

typedef struct source {
    wm_partition_map *map;
    uint64_t version; /* given in the present connection, 0: none yet */
    uint64_t content; /* a number for what the map says: sources whose maps are equal have the same one */
    uint64_t began;   /* when its connection began and when the map was taken or confirmed last, */
    uint64_t taken;   /* by the chooser's clock, which counts such events */
} source;

struct wm_map_chooser {
    source *sources;
    uint32_t count;
    int held;
    uint64_t held_content;
    uint64_t generation;
    uint64_t decoded;
    int last_decoded; /* the source of it, -1: none */
    uint64_t clock;
    wm_routing_metrics metrics;
};

wm_map_chooser *wm_map_chooser_new(void)
{
    wm_map_chooser *r = calloc(1, sizeof *r);
    if (r != NULL) r->held = r->last_decoded = -1;
    return r;
}

void wm_map_chooser_free(wm_map_chooser *r)
{
    if (r == NULL) return;
    for (uint32_t i = 0; i < r->count; i++) wm_partition_map_free(r->sources[i].map);
    free(r->sources);
    free(r);
}

static source *source_at(wm_map_chooser *r, int id)
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

int wm_map_chooser_source_began(wm_map_chooser *r, int id)
{
    source *s = source_at(r, id);
    if (s == NULL) return WM_ENOMEM;
    s->version = 0;
    s->began = ++r->clock;
    return WM_OK;
}

int wm_map_chooser_forget(wm_map_chooser *r, int id)
{
    if (id == r->held) return WM_EINVAL;
    if ((uint32_t)id >= r->count) return WM_OK;
    wm_partition_map_free(r->sources[id].map);
    r->sources[id] = (source){0};
    return WM_OK;
}

wm_partition_map *wm_map_chooser_decode(wm_map_chooser *r, int id, const uint8_t *payload, size_t len,
                                        char error[WM_MAP_ERROR_MAX])
{
    wm_known_maps known = {{wm_map_chooser_map_of(r, id), wm_map_chooser_map(r), wm_map_chooser_map_of(r, r->last_decoded)}};
    wm_partition_map *map = wm_partition_map_decode(payload, len, &known, error);
    if (map != NULL && map->is_decoded) r->decoded++;
    return map;
}

/* The number of what the map of source `id` says. */
static uint64_t content_of(wm_map_chooser *r, int id)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const wm_partition_map *map = r->sources[i].map;
        if (map != NULL && (int)i != id && wm_partition_map_is_equal(map, r->sources[id].map)) return r->sources[i].content;
    }
    return ++r->clock;
}

int wm_map_chooser_offer(wm_map_chooser *r, int id, wm_partition_map *map)
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
    s->content = content_of(r, id);
    s->taken = ++r->clock;
    if (map->is_decoded) r->last_decoded = id;
    return 1;
}

int wm_map_chooser_apply_delta(wm_map_chooser *r, int id, const uint8_t *payload, size_t len, const char **error)
{
    source *s = source_at(r, id);
    if (s == NULL || s->map == NULL || s->version == 0) {
        *error = "partition map delta: no map of this node is held";
        return WM_EINVAL;
    }
    int result = wm_partition_map_apply_delta(s->map, payload, len, error);
    if (result < 0) return result;
    s->version = s->map->version;
    s->content = ++r->clock;
    s->taken = ++r->clock;
    return WM_OK;
}

void wm_map_chooser_confirm(wm_map_chooser *r, int id)
{
    source *s = source_at(r, id);
    if (s != NULL && s->version != 0) s->taken = ++r->clock;
}

typedef struct judgement {
    uint32_t reachable; /* of the nodes that it names */
    uint32_t ignored;   /* lost nodes that it gives nothing, from before they came */
    uint32_t lost;      /* partitions that it gives to nodes that were lost */
} judgement;

static uint32_t owned_by(const wm_partition_map *map, const char *id)
{
    uint32_t owned = 0;
    for (uint32_t p = 0; p < map->partition_count; p++) {
        uint16_t owner = map->owners[p];
        owned += owner != WM_MAP_NO_NODE && strcmp(map->nodes[owner].id, id) == 0;
    }
    return owned;
}

static bool names(const wm_partition_map *map, const char *id)
{
    for (uint32_t i = 0; i < map->node_count; i++)
        if (strcmp(map->nodes[i].id, id) == 0) return true;
    return false;
}

static judgement judge(const wm_map_chooser *r, const source *s, const wm_map_chooser_node *nodes, uint32_t count)
{
    judgement j = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].sight == WM_NODE_REACHABLE) j.reachable += names(s->map, nodes[i].id);
        if (nodes[i].sight != WM_NODE_LOST) continue;
        uint32_t owned = owned_by(s->map, nodes[i].id);
        j.lost += owned;
        j.ignored += owned == 0 && i < r->count && s->taken < r->sources[i].began;
    }
    return j;
}

static bool is_better(judgement a, judgement b, bool generated_later)
{
    if (a.reachable != b.reachable) return a.reachable > b.reachable;
    if (a.ignored != b.ignored) return a.ignored < b.ignored;
    if (a.lost != b.lost) return a.lost < b.lost;
    return generated_later;
}

bool wm_map_chooser_choose(wm_map_chooser *r, const wm_map_chooser_node *nodes, uint32_t count)
{
    int best = -1;
    judgement best_is = {0};
    for (uint32_t i = 0; i < r->count; i++) {
        const wm_partition_map *map = r->sources[i].map;
        if (map == NULL) continue;
        judgement is = judge(r, &r->sources[i], nodes, count);
        if (best >= 0 && !is_better(is, best_is, map->generated_at_ms > r->sources[best].map->generated_at_ms)) continue;
        best = (int)i;
        best_is = is;
    }
    if (best < 0) return false;
    r->held = best;
    if (r->sources[best].content == r->held_content) return false;
    r->held_content = r->sources[best].content;
    r->generation++;
    return true;
}

const wm_partition_map *wm_map_chooser_map(const wm_map_chooser *r)
{
    return r->held < 0 ? NULL : r->sources[r->held].map;
}

const wm_partition_map *wm_map_chooser_map_of(const wm_map_chooser *r, int id)
{
    return (uint32_t)id < r->count ? r->sources[id].map : NULL;
}

int wm_map_chooser_map_source(const wm_map_chooser *r)
{
    return r->held;
}

uint64_t wm_map_chooser_version_of(const wm_map_chooser *r, int id)
{
    return (uint32_t)id < r->count ? r->sources[id].version : 0;
}

wm_routing_metrics *wm_map_chooser_metrics(wm_map_chooser *r)
{
    return &r->metrics;
}

uint64_t wm_map_chooser_generation(const wm_map_chooser *r)
{
    return r->generation;
}

uint64_t wm_map_chooser_decoded(const wm_map_chooser *r)
{
    return r->decoded;
}
