/* Partition maps and deltas of several nodes, in any order: the map that is
 * believed can be indexed without a check, a source's version only grows within a
 * connection, and what is refused changes nothing.
 *
 * Input: steps of one byte (what, and of which source), two bytes (a length,
 * little-endian) and so many bytes of payload. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "cluster/map_chooser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)         \
    do {                           \
        if (!(condition)) abort(); \
    } while (0)

#define SOURCES 3

static void check_map(const wm_partition_map *m)
{
    REQUIRE(m->partition_count > 0 && m->partition_count <= WM_PARTITIONS_MAX && m->version != UINT64_MAX);
    for (uint32_t p = 0; p < m->partition_count; p++) {
        REQUIRE(m->owners[p] == WM_MAP_NO_NODE || m->owners[p] < m->node_count);
        REQUIRE(m->backup_from[p] <= m->backup_from[p + 1]);
        for (uint32_t i = m->backup_from[p]; i < m->backup_from[p + 1]; i++) REQUIRE(m->backups[i] < m->node_count);
    }
}

static const char *id_of(const wm_partition_map *m, uint16_t node)
{
    return node == WM_MAP_NO_NODE ? "" : m->nodes[node].id;
}

/* What was copied from a known map is what would have been decoded. */
static void check_decoding(const wm_partition_map *m, const uint8_t *bytes, size_t len)
{
    char error[WM_MAP_ERROR_MAX] = "";
    wm_partition_map *plain = wm_partition_map_decode(bytes, len, NULL, error);
    REQUIRE(plain != NULL && wm_partition_map_has_same_owners(plain, m));
    for (uint32_t p = 0; p <= m->partition_count; p++) REQUIRE(plain->backup_from[p] == m->backup_from[p]);
    for (uint32_t i = 0; i < m->backup_from[m->partition_count]; i++)
        REQUIRE(strcmp(id_of(plain, plain->backups[i]), id_of(m, m->backups[i])) == 0);
    wm_partition_map_free(plain);
}

static void offer(wm_map_chooser *r, int source, const uint8_t *bytes, size_t len)
{
    char error[WM_MAP_ERROR_MAX] = "";
    uint64_t before = wm_map_chooser_version_of(r, source);
    wm_partition_map *map = wm_map_chooser_decode(r, source, bytes, len, error);
    REQUIRE((map == NULL) == (error[0] != '\0'));
    if (map == NULL) return;
    check_decoding(map, bytes, len);
    uint64_t version = map->version;
    int kept = wm_map_chooser_offer(r, source, map);
    REQUIRE(kept == (before == 0 || version > before));
    REQUIRE(wm_map_chooser_version_of(r, source) == (kept ? version : before));
}

static void apply_delta(wm_map_chooser *r, int source, const uint8_t *bytes, size_t len)
{
    const char *error = NULL;
    uint64_t before = wm_map_chooser_version_of(r, source);
    int result = wm_map_chooser_apply_delta(r, source, bytes, len, &error);
    REQUIRE((result == WM_OK) == (error == NULL));
    if (result == WM_OK) REQUIRE(wm_map_chooser_version_of(r, source) > before);
    else REQUIRE(wm_map_chooser_version_of(r, source) == before);
}

static void choose(wm_map_chooser *r, uint8_t salt)
{
    wm_map_chooser_node nodes[SOURCES + 1]; /* one that has said nothing, too */
    const wm_partition_map *held = wm_map_chooser_map(r);
    char ids[SOURCES + 1][64] = {{0}};
    for (uint32_t i = 0; i < SOURCES + 1; i++) {
        if (held != NULL && held->node_count > 0)
            strncpy(ids[i], held->nodes[(salt + i) % held->node_count].id, sizeof ids[i] - 1);
        nodes[i] = (wm_map_chooser_node){ids[i], (wm_node_sight)((salt / 3 + i) % 3)};
    }
    uint64_t generation = wm_map_chooser_generation(r);
    bool changed = wm_map_chooser_choose(r, nodes, SOURCES + 1);
    REQUIRE(wm_map_chooser_generation(r) == generation + changed);
    REQUIRE(!wm_map_chooser_choose(r, nodes, SOURCES + 1)); /* nothing has changed since */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wm_map_chooser *r = wm_map_chooser_new();
    REQUIRE(r != NULL);
    while (size >= 3) {
        int source = data[0] % SOURCES;
        size_t len = (size_t)data[1] | (size_t)data[2] << 8;
        uint8_t step = data[0] / SOURCES;
        data += 3;
        size -= 3;
        if (len > size) len = size;
        switch (step % 8) {
        case 0:
            wm_map_chooser_source_began(r, source);
            REQUIRE(wm_map_chooser_version_of(r, source) == 0);
            wm_map_chooser_confirm(r, (source + 1) % SOURCES);
            break;
        case 1:
            choose(r, step);
            break;
        case 2:
        case 3:
        case 4:
            apply_delta(r, source, data, len);
            break;
        default:
            offer(r, source, data, len);
            break;
        }
        const wm_partition_map *held = wm_map_chooser_map(r);
        REQUIRE((held == NULL) == (wm_map_chooser_map_source(r) < 0));
        if (held != NULL) check_map(held);
        data += len;
        size -= len;
    }
    wm_map_chooser_free(r);
    return 0;
}
