#ifndef WM_MAP_CHOOSER_H
#define WM_MAP_CHOOSER_H
#include "cluster/partition_map.h"

/* Which partition map is believed, and how often it was followed. Servers count
 * map versions each for itself, so every source (a node index) keeps its own
 * newest map, and the chooser holds the one that names most of the nodes that can
 * be reached; among those one that knew of the nodes that were lost while they were
 * there; among those the one that gives least to nodes that were lost; among equals
 * the one generated last. A map's time alone tells little: servers of both
 * families stamp it when they send it, and a node that has not noticed a death
 * yet, or never will, sends its old view under a new time. And a map that gives
 * nothing to a lost node may be from before that node came (back): such a view says
 * nothing about who has its partitions now. */
typedef struct wm_map_chooser wm_map_chooser;

/* Counted whenever an operation is routed, as the reference client does: to the
 * owner of its partition, to another node, or found without a map. */
typedef struct wm_routing_metrics {
    uint64_t direct_routes;
    uint64_t fallback_routes;
    uint64_t partition_misses;
} wm_routing_metrics;

/* What a client sees of a node: nothing so far, a connection that can be used, or
 * that there was one. */
typedef enum wm_node_sight {
    WM_NODE_UNSEEN,
    WM_NODE_REACHABLE,
    WM_NODE_LOST,
} wm_node_sight;
/* A node as the client knows it; its place in a list is its number as a source. */
typedef struct wm_map_chooser_node {
    const char *id; /* "" while it is not known */
    wm_node_sight sight;
} wm_map_chooser_node;

/* NULL when out of memory. */
wm_map_chooser *wm_map_chooser_new(void);
void wm_map_chooser_free(wm_map_chooser *r);
/* A connection to `source` begins: its process may be a new one that counts
 * versions from the start. WM_OK or WM_ENOMEM. */
int wm_map_chooser_source_began(wm_map_chooser *r, int source);
/* A source is no more, and its number may be that of another one. WM_EINVAL when its map is
 * the held one: nothing is changed. */
int wm_map_chooser_forget(wm_map_chooser *r, int source);
/* Decodes a PARTITION_MAP that a source sent. The partitions are decoded only when they are in other
 * bytes than in the source's own map, in the held one and in the one that was decoded last: nodes push
 * the same assignment one after the other. As wm_partition_map_decode. */
wm_partition_map *wm_map_chooser_decode(wm_map_chooser *r, int source, const uint8_t *payload, size_t len,
                                        char error[WM_MAP_ERROR_MAX]);
/* Takes a map from a source; the chooser owns it from here on. 1: kept; 0: not
 * newer than the source's last one, freed; WM_ENOMEM: freed. */
int wm_map_chooser_offer(wm_map_chooser *r, int source, wm_partition_map *map);
/* Applies PARTITION_MAP_DELTA to the source's map. WM_OK, or WM_EINVAL and the
 * reason: then a full map has to be asked for. */
int wm_map_chooser_apply_delta(wm_map_chooser *r, int source, const uint8_t *payload, size_t len, const char **error);
/* A source has nothing newer than the map that it gave in its present connection:
 * that is how it sees things now. */
void wm_map_chooser_confirm(wm_map_chooser *r, int source);
/* Chooses the map to believe, by what is seen of the nodes. True when the held map says something
 * else than before: another version, another source's view of the nodes, other owners or backups. */
bool wm_map_chooser_choose(wm_map_chooser *r, const wm_map_chooser_node *nodes, uint32_t count);
/* The held map, NULL before the first. */
const wm_partition_map *wm_map_chooser_map(const wm_map_chooser *r);
/* The newest map of a source, NULL before its first; valid until the source gives another. */
const wm_partition_map *wm_map_chooser_map_of(const wm_map_chooser *r, int source);
/* The source of the held map, -1 when there is none. */
int wm_map_chooser_map_source(const wm_map_chooser *r);
/* The version that a source last gave in its present connection; 0: none yet. */
uint64_t wm_map_chooser_version_of(const wm_map_chooser *r, int source);
wm_routing_metrics *wm_map_chooser_metrics(wm_map_chooser *r);
/* Maps believed so far. */
uint64_t wm_map_chooser_generation(const wm_map_chooser *r);
/* Maps so far whose partitions were decoded. */
uint64_t wm_map_chooser_decoded(const wm_map_chooser *r);
#endif
