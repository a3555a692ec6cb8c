#ifndef WM_MAP_CHOOSER_H
#define WM_MAP_CHOOSER_H
#include "cluster/partition_map.h"

/* Chooses the partition map to hold among those that nodes have sent, and counts how operations were
 * routed by it. Nodes count map versions independently, so the chooser keeps the newest map of every
 * source (a node index). These criteria decide, in this order:
 *
 *   1. The map names more of the reachable nodes.
 *   2. Fewer lost nodes are unknown to it: it gives them no partition, and is older than their last
 *      connection. Such a map does not show which node has taken over their partitions.
 *   3. It gives fewer partitions to lost nodes.
 *   4. It was generated later. Time alone says little: servers stamp a map when they send it, so a node
 *      that has not noticed a failure sends its old view with a new time. */
typedef struct wm_map_chooser wm_map_chooser;

/* How operations were routed, counted as in the reference client: to the owner of their partition, to
 * another node, or without a map. */
typedef struct wm_routing_metrics {
    uint64_t direct_routes;
    uint64_t fallback_routes;
    uint64_t partition_misses;
} wm_routing_metrics;

/* Whether a client had no usable connection to a node yet, has one, or had one. */
typedef enum wm_node_sight {
    WM_NODE_UNSEEN,
    WM_NODE_REACHABLE,
    WM_NODE_LOST,
} wm_node_sight;
/* A node as the client knows it; its place in the list is its number as a source. */
typedef struct wm_map_chooser_node {
    const char *id; /* "" while it is not known */
    wm_node_sight sight;
} wm_map_chooser_node;

/* NULL when out of memory. */
wm_map_chooser *wm_map_chooser_new(void);
void wm_map_chooser_free(wm_map_chooser *r);
/* Notes that a connection to `source` begins. Its process may be a new one, whose versions begin again,
 * so the next map is taken whatever its version. WM_OK or WM_ENOMEM. */
int wm_map_chooser_source_began(wm_map_chooser *r, int source);
/* Removes a source; its number may be used for another one. WM_EINVAL, and nothing changed, when its
 * map is the held one. */
int wm_map_chooser_forget(wm_map_chooser *r, int source);
/* Decodes a PARTITION_MAP that a source sent; returns as wm_partition_map_decode. Nodes push the same
 * partitions one after the other, so these are copied when their bytes are those of the source's last
 * map, of the held one, or of the one that was decoded last. */
wm_partition_map *wm_map_chooser_decode(wm_map_chooser *r, int source, const uint8_t *payload, size_t len,
                                        char error[WM_MAP_ERROR_MAX]);
/* Takes over a map from a source. 1: it is kept; 0: it is not newer than the source's last one, and was
 * freed; WM_ENOMEM: it was freed. */
int wm_map_chooser_offer(wm_map_chooser *r, int source, wm_partition_map *map);
/* Applies a PARTITION_MAP_DELTA to the source's map. WM_OK, or WM_EINVAL with the reason in `error`:
 * request a full map then. */
int wm_map_chooser_apply_delta(wm_map_chooser *r, int source, const uint8_t *payload, size_t len, const char **error);
/* Notes that the source still has the map that it sent last. Does nothing if it sent none on its present
 * connection. */
void wm_map_chooser_confirm(wm_map_chooser *r, int source);
/* Chooses the map to hold, by the reachability of the nodes. True when the held map differs from the
 * last one: in its version, its nodes, owners or backups. */
bool wm_map_chooser_choose(wm_map_chooser *r, const wm_map_chooser_node *nodes, uint32_t count);
/* The held map, NULL before the first. */
const wm_partition_map *wm_map_chooser_map(const wm_map_chooser *r);
/* The newest map of a source, NULL before its first; valid until its next one. */
const wm_partition_map *wm_map_chooser_map_of(const wm_map_chooser *r, int source);
/* The source of the held map, -1 when there is none. */
int wm_map_chooser_map_source(const wm_map_chooser *r);
/* The version of the last map of a source in its present connection; 0: none yet. */
uint64_t wm_map_chooser_version_of(const wm_map_chooser *r, int source);
/* The counters, for the caller to increment. Valid as long as the chooser. */
wm_routing_metrics *wm_map_chooser_metrics(wm_map_chooser *r);
/* The number of maps held so far. */
uint64_t wm_map_chooser_generation(const wm_map_chooser *r);
/* The number of maps so far whose partitions were decoded. */
uint64_t wm_map_chooser_decoded(const wm_map_chooser *r);
#endif
