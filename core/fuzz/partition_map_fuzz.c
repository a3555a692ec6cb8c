/* Any bytes as a partition map and a delta to it. What is decoded can be indexed
 * without a check, and a delta that is refused changes nothing.
 *
 * Input: two bytes, the length of the map's payload, little-endian; the payload;
 * the rest is the delta's payload. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "cluster/partition_map.h"
#include "fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_node(const wm_partition_map *m, uint16_t index)
{
    return index < m->node_count;
}

static void check(const wm_partition_map *m)
{
    REQUIRE(m->partition_count > 0 && m->partition_count <= WM_PARTITIONS_MAX);
    REQUIRE(m->node_count <= WM_MAP_NODES_MAX);
    REQUIRE(m->backup_from[0] == 0);
    for (uint32_t p = 0; p < m->partition_count; p++) {
        REQUIRE(m->owners[p] == WM_MAP_NO_NODE || is_node(m, m->owners[p]));
        REQUIRE(m->backup_from[p] <= m->backup_from[p + 1]);
        REQUIRE(m->backup_from[p + 1] - m->backup_from[p] <= WM_MAP_BACKUPS_MAX);
        for (uint32_t i = m->backup_from[p]; i < m->backup_from[p + 1]; i++) REQUIRE(is_node(m, m->backups[i]));
    }
    for (uint32_t n = 0; n < m->node_count; n++) {
        REQUIRE(m->nodes[n].endpoint != NULL && m->nodes[n].status != NULL);
        uint16_t found = wm_partition_map_find_node(m, m->nodes[n].id);
        REQUIRE(found <= n && strcmp(m->nodes[found].id, m->nodes[n].id) == 0);
    }
    REQUIRE(wm_partition_map_find_node(m, "\x01 no node \x02") == WM_MAP_NO_NODE);
}

static void check_delta(wm_partition_map *m, const uint8_t *bytes, size_t len)
{
    uint64_t version = m->version;
    uint16_t *owners = malloc(m->partition_count * sizeof *owners);
    REQUIRE(owners != NULL);
    memcpy(owners, m->owners, m->partition_count * sizeof *owners);
    const char *error = NULL;
    int rc = wm_partition_map_apply_delta(m, bytes, len, &error);
    if (rc != WM_OK) {
        REQUIRE(error != NULL && m->version == version);
        REQUIRE(memcmp(owners, m->owners, m->partition_count * sizeof *owners) == 0);
    }
    free(owners);
    check(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t map_len = (size_t)data[0] | (size_t)data[1] << 8;
    if (map_len > size - 2) map_len = size - 2;
    char error[WM_MAP_ERROR_MAX] = "";
    wm_partition_map *m = wm_partition_map_decode(data + 2, map_len, NULL, error);
    REQUIRE((m == NULL) == (error[0] != '\0'));
    if (m == NULL) return 0;
    check(m);
    check_delta(m, data + 2 + map_len, size - 2 - map_len);
    wm_partition_map_free(m);
    return 0;
}
