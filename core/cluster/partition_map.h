#ifndef WM_PARTITION_MAP_H
#define WM_PARTITION_MAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A partition map as one server sent it: owner and backups of each partition, in arrays by partition.
 * Only a delta changes a decoded map. */

/* Limits of a map, which is decoded in one step of a host. Both families use 271 partitions. */
#define WM_PARTITIONS_MAX 1024u
#define WM_MAP_NODES_MAX 1024u
#define WM_MAP_ELEMENTS_MAX 32768u /* keys and values of the message */
#define WM_MAP_ERROR_MAX 96u       /* bytes of an error's text */
#define WM_MAP_BACKUPS_MAX 16u     /* of one partition; further ones are ignored */
#define WM_MAP_NO_NODE UINT16_MAX

typedef struct wm_map_node {
    const char *id;       /* belongs to the map */
    const char *endpoint; /* as advertised, "" when there was none */
    const char *status;   /* ACTIVE, JOINING, LEAVING, SUSPECTED, FAILED; "" for a
                           * node that owns partitions but is not in the list */
} wm_map_node;

/* The bytes of a message's list of partitions; shared by maps with the same bytes. */
typedef struct wm_map_bytes wm_map_bytes;

typedef struct wm_partition_map {
    uint64_t version; /* comparable only with maps of the same node and process */
    double generated_at_ms;
    uint32_t partition_count;
    uint32_t node_count;
    wm_map_node *nodes;
    uint16_t *owners;      /* index in `nodes` by partition; WM_MAP_NO_NODE: none */
    uint16_t *backups;     /* all backups, partition after partition */
    uint32_t *backup_from; /* partition_count + 1 entries into `backups` */
    char *strings;
    wm_map_bytes *partitions; /* what owners and backups were made from; NULL since a delta changed them */
    bool is_decoded;          /* they were decoded; false: copied from a map that had the same bytes */
} wm_partition_map;

/* Maps that were decoded before; entries may be NULL. */
#define WM_KNOWN_MAPS 3u
typedef struct wm_known_maps {
    const wm_partition_map *maps[WM_KNOWN_MAPS];
} wm_known_maps;

/* Decodes the payload of a PARTITION_MAP. A partition that is missing has no owner; of one that is
 * listed twice the last entry counts; an owner that is not in `nodes` is added with an empty endpoint;
 * ids outside of 0 .. partitionCount-1 are an error. If one of the `known` maps (may be NULL) has the
 * same bytes of partitions, these are copied from it. NULL with the reason in `error` on failure. Free
 * with wm_partition_map_free. */
wm_partition_map *wm_partition_map_decode(const uint8_t *payload, size_t len, const wm_known_maps *known,
                                          char error[WM_MAP_ERROR_MAX]);
void wm_partition_map_free(wm_partition_map *map);
/* Applies the payload of a PARTITION_MAP_DELTA. WM_OK; WM_EINVAL when it is malformed, names an unknown
 * node, or its previousVersion is not the map's version: the map is unchanged, and a full one has to be
 * requested. */
int wm_partition_map_apply_delta(wm_partition_map *map, const uint8_t *payload, size_t len, const char **error);
/* Whether each partition has the same owner in both, by node id. */
bool wm_partition_map_has_same_owners(const wm_partition_map *a, const wm_partition_map *b);
/* Whether both have the same version, the same nodes in the same order, and the same bytes of
 * partitions. False when a delta has changed one of them. */
bool wm_partition_map_is_equal(const wm_partition_map *a, const wm_partition_map *b);
/* The index of a node id in `nodes`; WM_MAP_NO_NODE when it is not there. */
uint16_t wm_partition_map_find_node(const wm_partition_map *map, const char *id);
#endif
