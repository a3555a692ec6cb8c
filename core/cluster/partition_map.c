#include "cluster/partition_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/msgpack.h"
#include "base/status.h"

/* Places for the ids of nodes: a power of two, above WM_MAP_NODES_MAX. */
#define INDEX_SIZE 8192u

struct wm_map_bytes {
    uint32_t maps; /* that share it */
    size_t len;
    uint8_t bytes[];
};

/* Reading state: the map that grows and the buffers it is made from. */
typedef struct decoder {
    wm_partition_map *map;
    wm_buffer strings; /* offsets while it grows, pointers at the end */
    bool is_whole;     /* the map was read before: its nodes hold pointers */
    uint32_t node_cap;
    uint16_t *index; /* nodes by the hash of their id: a map may name thousands, 65,536 times */
    const wm_known_maps *known;
    const wm_partition_map *same; /* one of them, which has the partitions in the same bytes; NULL: none */
    char error[WM_MAP_ERROR_MAX]; /* "" while nothing is wrong */
} decoder;

static bool fail(decoder *d, const char *text)
{
    if (d->error[0] == '\0') snprintf(d->error, sizeof d->error, "%s", text);
    return false;
}

/* Whether so many of something are within the bound. */
static bool is_within(decoder *d, const char *what, uint64_t count, uint32_t most)
{
    if (count <= most) return true;
    snprintf(d->error, sizeof d->error, "partition map: %" PRIu64 " %s; at most %u are taken", count, what, most);
    return false;
}

/* Copies a string behind the others; its offset, to become a pointer later. */
static size_t keep(decoder *d, const uint8_t *bytes, size_t len)
{
    size_t at = d->strings.len;
    wm_buffer_append(&d->strings, bytes, len);
    wm_buffer_append(&d->strings, "", 1);
    return at;
}

static const char *text_at(const decoder *d, const char *offset)
{
    return (const char *)d->strings.data + (size_t)offset;
}

static bool make_index(decoder *d)
{
    d->index = malloc(INDEX_SIZE * sizeof *d->index);
    if (d->index == NULL) return fail(d, "partition map: out of memory");
    for (uint32_t i = 0; i < INDEX_SIZE; i++) d->index[i] = WM_MAP_NO_NODE;
    return true;
}

/* The place of the first node of this id in the index, or a free one for it. */
static uint16_t *place_of(const decoder *d, const uint8_t *id, size_t len)
{
    /* The address makes the start another one in each process: ids that were
     * chosen to share a place do so nowhere else. */
    uint64_t hash = XXH64(id, len, (uintptr_t)d->index);
    for (uint32_t at = hash % INDEX_SIZE;; at = (at + 1) % INDEX_SIZE) {
        uint16_t *place = &d->index[at];
        if (*place == WM_MAP_NO_NODE) return place;
        const char *known = d->map->nodes[*place].id;
        if (!d->is_whole) known = text_at(d, known);
        if (strlen(known) == len && memcmp(known, id, len) == 0) return place;
    }
}

static uint16_t add_node(decoder *d, size_t id, size_t endpoint, size_t status)
{
    wm_partition_map *m = d->map;
    if (!is_within(d, "nodes", m->node_count + UINT64_C(1), WM_MAP_NODES_MAX)) return WM_MAP_NO_NODE;
    if (m->node_count == d->node_cap) {
        uint32_t cap = d->node_cap ? d->node_cap * 2 : 8;
        wm_map_node *grown = realloc(m->nodes, cap * sizeof *grown);
        if (grown == NULL) {
            fail(d, "partition map: out of memory");
            return WM_MAP_NO_NODE;
        }
        m->nodes = grown;
        d->node_cap = cap;
    }
    /* Offsets stand in the pointers until the string buffer stops moving. */
    m->nodes[m->node_count] = (wm_map_node){(char *)id, (char *)endpoint, (char *)status};
    if (d->strings.failed) return WM_MAP_NO_NODE;
    const uint8_t *name = d->strings.data + id;
    uint16_t *place = place_of(d, name, strlen((const char *)name));
    if (*place == WM_MAP_NO_NODE) *place = (uint16_t)m->node_count;
    return (uint16_t)m->node_count++;
}

static uint16_t node_by_id(decoder *d, const uint8_t *id, size_t len)
{
    if (d->strings.failed) return WM_MAP_NO_NODE;
    uint16_t known = *place_of(d, id, len);
    if (known != WM_MAP_NO_NODE) return known;
    size_t empty = keep(d, (const uint8_t *)"", 0);
    return add_node(d, keep(d, id, len), empty, empty);
}

static bool read_item(decoder *d, wm_mp_reader *r, wm_mp_item *it, wm_mp_kind kind)
{
    if (wm_mp_read(r, it) < 0 || it->kind != kind) return fail(d, "partition map: malformed");
    return true;
}

/* Reads a string value of a field; "" when it is of another kind. */
static bool read_text(decoder *d, wm_mp_reader *r, size_t *offset)
{
    wm_mp_reader before = *r;
    wm_mp_item it;
    if (wm_mp_read(r, &it) < 0) return fail(d, "partition map: malformed");
    if (it.kind != WM_MP_STR) {
        *r = before;
        if (wm_mp_skip(r) < 0) return fail(d, "partition map: malformed");
        return true;
    }
    if (memchr(it.bytes, 0, it.len)) return fail(d, "partition map: a zero byte in a name");
    *offset = keep(d, it.bytes, it.len);
    return true;
}

static bool skip(decoder *d, wm_mp_reader *r)
{
    return wm_mp_skip(r) < 0 ? fail(d, "partition map: malformed") : true;
}

static bool read_endpoints(decoder *d, wm_mp_reader *r, size_t *endpoint)
{
    wm_mp_item fields, key;
    if (!read_item(d, r, &fields, WM_MP_MAP)) return false;
    for (uint32_t i = 0; i < fields.count; i++) {
        if (!read_item(d, r, &key, WM_MP_STR)) return false;
        bool ok = wm_mp_is(&key, "websocket") ? read_text(d, r, endpoint) : skip(d, r);
        if (!ok) return false;
    }
    return true;
}

static bool read_node(decoder *d, wm_mp_reader *r)
{
    wm_mp_item fields, key;
    size_t none = keep(d, (const uint8_t *)"", 0);
    size_t id = none, endpoint = none, status = none;
    if (!read_item(d, r, &fields, WM_MP_MAP)) return false;
    for (uint32_t i = 0; i < fields.count; i++) {
        if (!read_item(d, r, &key, WM_MP_STR)) return false;
        bool ok;
        if (wm_mp_is(&key, "nodeId")) ok = read_text(d, r, &id);
        else if (wm_mp_is(&key, "status")) ok = read_text(d, r, &status);
        else if (wm_mp_is(&key, "endpoints")) ok = read_endpoints(d, r, &endpoint);
        else ok = skip(d, r);
        if (!ok) return false;
    }
    if (d->strings.failed) return fail(d, "partition map: out of memory");
    if (id == none || d->strings.data[id] == 0)
        return fail(d, "partition map: a node without nodeId");
    return add_node(d, id, endpoint, status) != WM_MAP_NO_NODE;
}

static bool read_nodes(decoder *d, const uint8_t *bytes, size_t len)
{
    wm_mp_reader r;
    wm_mp_item list;
    wm_mp_reader_init(&r, bytes, len);
    if (!read_item(d, &r, &list, WM_MP_ARRAY)) return false;
    for (uint32_t i = 0; i < list.count; i++)
        if (!read_node(d, &r)) return false;
    return true;
}

typedef struct partition_entry {
    uint64_t id;
    uint16_t owner;
    uint16_t backups[WM_MAP_BACKUPS_MAX];
    uint32_t backup_count;
} partition_entry;

static bool read_backups(decoder *d, wm_mp_reader *r, partition_entry *e)
{
    wm_mp_item list, it;
    if (!read_item(d, r, &list, WM_MP_ARRAY)) return false;
    e->backup_count = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        if (!read_item(d, r, &it, WM_MP_STR)) return false;
        if (memchr(it.bytes, 0, it.len)) return fail(d, "partition map: a zero byte in a name");
        if (e->backup_count == WM_MAP_BACKUPS_MAX) continue;
        uint16_t node = node_by_id(d, it.bytes, it.len);
        if (node == WM_MAP_NO_NODE) return false;
        e->backups[e->backup_count++] = node;
    }
    return true;
}

static bool read_partition(decoder *d, wm_mp_reader *r, partition_entry *e)
{
    wm_mp_item fields, key, it;
    *e = (partition_entry){.id = UINT64_MAX, .owner = WM_MAP_NO_NODE};
    if (!read_item(d, r, &fields, WM_MP_MAP)) return false;
    for (uint32_t i = 0; i < fields.count; i++) {
        if (!read_item(d, r, &key, WM_MP_STR)) return false;
        if (wm_mp_is(&key, "partitionId")) {
            if (wm_mp_read(r, &it) < 0 || !wm_mp_as_uint(&it, &e->id)) return fail(d, "partition map: bad partitionId");
        } else if (wm_mp_is(&key, "ownerNodeId")) {
            if (!read_item(d, r, &it, WM_MP_STR)) return false;
            if (memchr(it.bytes, 0, it.len)) return fail(d, "partition map: a zero byte in a name");
            if (it.len == 0) continue; /* nobody */
            e->owner = node_by_id(d, it.bytes, it.len);
            if (e->owner == WM_MAP_NO_NODE) return false;
        } else if (wm_mp_is(&key, "backupNodeIds")) {
            if (!read_backups(d, r, e)) return false;
        } else if (!skip(d, r)) {
            return false;
        }
    }
    if (e->id >= d->map->partition_count) return fail(d, "partition map: a partitionId outside the partition count");
    return true;
}

/* Notes owners and backups as they come, the last entry of an id counts: `found` are all
 * backups, `first` has the place of each partition's. */
static bool collect_partitions(decoder *d, const uint8_t *bytes, size_t len, wm_buffer *found, uint32_t *first)
{
    wm_partition_map *m = d->map;
    wm_mp_reader r;
    wm_mp_item list;
    partition_entry e;
    wm_mp_reader_init(&r, bytes, len);
    if (!read_item(d, &r, &list, WM_MP_ARRAY) || !is_within(d, "entries of partitions", list.count, WM_PARTITIONS_MAX)) return false;
    for (uint32_t i = 0; i < list.count; i++) {
        if (!read_partition(d, &r, &e)) return false;
        m->owners[e.id] = e.owner;
        m->backup_from[e.id + 1] = e.backup_count;
        first[e.id] = (uint32_t)(found->len / sizeof *e.backups);
        wm_buffer_append(found, e.backups, e.backup_count * sizeof *e.backups);
    }
    return found->failed ? fail(d, "partition map: out of memory") : true;
}

/* Places the backups behind each other in partition order. */
static bool place_backups(decoder *d, const wm_buffer *found, const uint32_t *first)
{
    wm_partition_map *m = d->map;
    for (uint32_t p = 0; p < m->partition_count; p++) m->backup_from[p + 1] += m->backup_from[p];
    uint32_t total = m->backup_from[m->partition_count];
    m->backups = calloc(total ? total : 1, sizeof *m->backups);
    if (m->backups == NULL) return fail(d, "partition map: out of memory");
    for (uint32_t p = 0; p < m->partition_count; p++) {
        uint32_t from = m->backup_from[p], count = m->backup_from[p + 1] - from;
        if (count > 0) memcpy(m->backups + from, (const uint16_t *)found->data + first[p], count * sizeof *m->backups);
    }
    return true;
}

static bool read_partitions(decoder *d, const uint8_t *bytes, size_t len)
{
    wm_partition_map *m = d->map;
    wm_buffer found;
    wm_buffer_init(&found);
    for (uint32_t p = 0; p < m->partition_count; p++) m->owners[p] = WM_MAP_NO_NODE;
    uint32_t *first = calloc(m->partition_count, sizeof *first);
    bool ok = first != NULL ? collect_partitions(d, bytes, len, &found, first) && place_backups(d, &found, first)
                            : fail(d, "partition map: out of memory");
    free(first);
    wm_buffer_close(&found);
    m->is_decoded = true;
    m->partitions = malloc(sizeof *m->partitions + len);
    if (m->partitions == NULL) return ok; /* it serves no other map, then */
    *m->partitions = (wm_map_bytes){.maps = 1, .len = len};
    memcpy(m->partitions->bytes, bytes, len);
    return ok;
}

/* The index of a node of the known map in this one: lists of nodes have orders of their own. */
static uint16_t own_index(decoder *d, uint16_t *own, uint16_t known)
{
    if (known == WM_MAP_NO_NODE) return WM_MAP_NO_NODE;
    const char *id = d->same->nodes[known].id;
    if (own[known] == WM_MAP_NO_NODE) own[known] = node_by_id(d, (const uint8_t *)id, strlen(id));
    return own[known];
}

/* As read_partitions, from the known map that has the same bytes. */
static bool copy_partitions(decoder *d)
{
    wm_partition_map *m = d->map;
    const wm_partition_map *same = d->same;
    uint32_t total = same->backup_from[same->partition_count];
    uint16_t *own = malloc((same->node_count + 1) * sizeof *own);
    m->backups = calloc(total ? total : 1, sizeof *m->backups);
    if (own == NULL || m->backups == NULL) {
        free(own);
        return fail(d, "partition map: out of memory");
    }
    for (uint32_t i = 0; i < same->node_count; i++) own[i] = WM_MAP_NO_NODE;
    for (uint32_t p = 0; p < m->partition_count; p++) m->owners[p] = own_index(d, own, same->owners[p]);
    for (uint32_t i = 0; i < total; i++) m->backups[i] = own_index(d, own, same->backups[i]);
    memcpy(m->backup_from, same->backup_from, (m->partition_count + 1) * sizeof *m->backup_from);
    free(own);
    m->partitions = same->partitions;
    m->partitions->maps++;
    return d->error[0] == '\0';
}

typedef struct field {
    const char *name;
    const uint8_t *bytes; /* of its value; NULL: it is absent */
    size_t len;
} field;

/* Notes which known map has its partitions in the bytes that come now, and returns how many these are; 0
 * when none has. A value of MessagePack says where it ends, so that equal bytes are an equal value. */
static size_t find_same(decoder *d, const wm_mp_reader *r)
{
    d->same = NULL;
    for (uint32_t i = 0; d->known != NULL && i < WM_KNOWN_MAPS; i++) {
        const wm_partition_map *map = d->known->maps[i];
        const wm_map_bytes *bytes = map != NULL ? map->partitions : NULL;
        if (bytes == NULL || bytes->len > (size_t)(r->end - r->pos)) continue;
        if (memcmp(bytes->bytes, r->pos, bytes->len) != 0) continue;
        d->same = map;
        return bytes->len;
    }
    return 0;
}

/* The value of a field, left out of `r`. */
static bool read_value(decoder *d, wm_mp_reader *r, const wm_mp_item *key, const uint8_t **bytes, size_t *len)
{
    size_t known = wm_mp_is(key, "partitions") ? find_same(d, r) : 0;
    if (known == 0) return wm_mp_slice(r, bytes, len) < 0 ? fail(d, "partition map: malformed") : true;
    *bytes = r->pos;
    *len = known;
    r->pos += known;
    return true;
}

/* Finds all fields in one walk over the payload; of two of a name the last one counts. */
static bool find_fields(decoder *d, const uint8_t *payload, size_t len, field *fields, size_t count)
{
    wm_mp_reader r;
    wm_mp_item map, key, value;
    wm_mp_reader_init(&r, payload, len);
    if (!read_item(d, &r, &map, WM_MP_MAP)) return false;
    for (uint32_t left = map.count; left > 0; left--) {
        const uint8_t *bytes;
        size_t size;
        wm_mp_reader peek = r;
        if (wm_mp_read(&peek, &key) < 0 || !skip(d, &r)) return false;
        peek = r;
        if (wm_mp_read(&peek, &value) < 0) return fail(d, "partition map: malformed");
        if (!read_value(d, &r, &key, &bytes, &size)) return false;
        for (size_t i = 0; i < count; i++) {
            if (!wm_mp_is(&key, fields[i].name)) continue;
            fields[i].bytes = value.kind == WM_MP_ABSENT ? NULL : bytes;
            fields[i].len = size;
        }
    }
    return true;
}

/* Leaves *out alone when the field is absent. */
static bool read_uint(decoder *d, const field *f, uint64_t *out)
{
    wm_mp_reader r;
    wm_mp_item it;
    if (f->bytes == NULL) return true;
    wm_mp_reader_init(&r, f->bytes, f->len);
    if (wm_mp_read(&r, &it) < 0 || !wm_mp_as_uint(&it, out)) return fail(d, "partition map: a number is expected");
    return true;
}

static bool decode(decoder *d, const uint8_t *payload, size_t len)
{
    enum {
        VERSION,
        COUNT,
        GENERATED,
        NODES,
        PARTITIONS,
        FIELDS,
    };
    wm_partition_map *m = d->map;
    field fields[FIELDS] = {{.name = "version"}, {.name = "partitionCount"}, {.name = "generatedAt"}, {.name = "nodes"}, {.name = "partitions"}};
    const field *nodes = &fields[NODES], *partitions = &fields[PARTITIONS];
    uint64_t count = 0, generated = 0;
    m->version = UINT64_MAX;
    if (!find_fields(d, payload, len, fields, FIELDS)) return false;
    if (!read_uint(d, &fields[VERSION], &m->version)) return false;
    /* As a version of its own it would be the last one that its node can ever send. */
    if (m->version == UINT64_MAX) return fail(d, "partition map: no version that counts");
    if (!read_uint(d, &fields[COUNT], &count)) return false;
    if (!read_uint(d, &fields[GENERATED], &generated)) return false;
    if (count == 0) return fail(d, "partition map: no partitionCount");
    if (!is_within(d, "partitions", count, WM_PARTITIONS_MAX)) return false;
    m->partition_count = (uint32_t)count;
    m->generated_at_ms = (double)generated;
    m->owners = calloc(count, sizeof *m->owners);
    m->backup_from = calloc(count + 1, sizeof *m->backup_from);
    if (m->owners == NULL || m->backup_from == NULL) return fail(d, "partition map: out of memory");
    if (!make_index(d)) return false;
    if (nodes->bytes == NULL || partitions->bytes == NULL) return fail(d, "partition map: nodes or partitions are missing");
    if (!read_nodes(d, nodes->bytes, nodes->len)) return false;
    bool is_known = d->same != NULL && d->same->partition_count == m->partition_count;
    if (!(is_known ? copy_partitions(d) : read_partitions(d, partitions->bytes, partitions->len))) return false;
    if (d->strings.failed) return fail(d, "partition map: out of memory");
    m->strings = (char *)d->strings.data;
    for (uint32_t i = 0; i < m->node_count; i++) {
        wm_map_node *n = &m->nodes[i];
        *n = (wm_map_node){text_at(d, n->id), text_at(d, n->endpoint), text_at(d, n->status)};
    }
    return true;
}

wm_partition_map *wm_partition_map_decode(const uint8_t *payload, size_t len, const wm_known_maps *known,
                                          char error[WM_MAP_ERROR_MAX])
{
    decoder d = {.map = calloc(1, sizeof(wm_partition_map)), .known = known};
    wm_buffer_init(&d.strings);
    bool ok = d.map != NULL && decode(&d, payload, len);
    free(d.index);
    if (ok) return d.map;
    fail(&d, "partition map: out of memory"); /* what has no other reason */
    memcpy(error, d.error, sizeof d.error);
    wm_buffer_close(&d.strings);
    if (d.map != NULL) d.map->strings = NULL;
    wm_partition_map_free(d.map);
    return NULL;
}

/* Safe twice. */
static void release_bytes(wm_partition_map *map)
{
    if (map->partitions != NULL && --map->partitions->maps == 0) free(map->partitions);
    map->partitions = NULL;
}

void wm_partition_map_free(wm_partition_map *map)
{
    if (map == NULL) return;
    release_bytes(map);
    free(map->nodes);
    free(map->owners);
    free(map->backups);
    free(map->backup_from);
    free(map->strings);
    free(map);
}

uint16_t wm_partition_map_find_node(const wm_partition_map *map, const char *id)
{
    for (uint32_t i = 0; i < map->node_count; i++)
        if (strcmp(map->nodes[i].id, id) == 0) return (uint16_t)i;
    return WM_MAP_NO_NODE;
}

static const char *owner_id(const wm_partition_map *map, uint32_t partition)
{
    uint16_t owner = map->owners[partition];
    return owner == WM_MAP_NO_NODE ? "" : map->nodes[owner].id;
}

bool wm_partition_map_has_same_owners(const wm_partition_map *a, const wm_partition_map *b)
{
    if (a->partition_count != b->partition_count) return false;
    if (a->partitions != NULL && a->partitions == b->partitions) return true;
    for (uint32_t p = 0; p < a->partition_count; p++)
        if (strcmp(owner_id(a, p), owner_id(b, p)) != 0) return false;
    return true;
}

static bool is_same_node(const wm_map_node *a, const wm_map_node *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->endpoint, b->endpoint) == 0 && strcmp(a->status, b->status) == 0;
}

bool wm_partition_map_is_equal(const wm_partition_map *a, const wm_partition_map *b)
{
    if (a->version != b->version || a->partition_count != b->partition_count || a->node_count != b->node_count) return false;
    if (a->partitions == NULL || a->partitions != b->partitions) return false;
    for (uint32_t i = 0; i < a->node_count; i++)
        if (!is_same_node(&a->nodes[i], &b->nodes[i])) return false;
    return true;
}

/* Reads one change; writes the new owner when `apply`. */
static bool read_change(decoder *d, wm_mp_reader *r, bool apply)
{
    wm_partition_map *map = d->map;
    wm_mp_item fields, key, it;
    uint64_t id = UINT64_MAX;
    uint16_t owner = WM_MAP_NO_NODE;
    if (wm_mp_read(r, &fields) < 0 || fields.kind != WM_MP_MAP) return false;
    for (uint32_t i = 0; i < fields.count; i++) {
        if (wm_mp_read(r, &key) < 0 || key.kind != WM_MP_STR) return false;
        if (wm_mp_is(&key, "partitionId")) {
            if (wm_mp_read(r, &it) < 0 || !wm_mp_as_uint(&it, &id)) return false;
        } else if (wm_mp_is(&key, "newOwner")) {
            if (wm_mp_read(r, &it) < 0 || it.kind != WM_MP_STR) return false;
            owner = *place_of(d, it.bytes, it.len);
        } else if (wm_mp_skip(r) < 0) {
            return false;
        }
    }
    if (id >= map->partition_count || owner == WM_MAP_NO_NODE) return false;
    if (apply) map->owners[id] = owner;
    return true;
}

static bool index_nodes(decoder *d)
{
    if (!make_index(d)) return false;
    for (uint32_t i = 0; i < d->map->node_count; i++) {
        const char *id = d->map->nodes[i].id;
        uint16_t *place = place_of(d, (const uint8_t *)id, strlen(id));
        if (*place == WM_MAP_NO_NODE) *place = (uint16_t)i;
    }
    return true;
}

/* Checks every change, then makes them. */
static bool apply_changes(decoder *d, const uint8_t *changes, size_t len)
{
    for (int apply = 0; apply <= 1; apply++) {
        wm_mp_reader r;
        wm_mp_item list;
        wm_mp_reader_init(&r, changes, len);
        if (wm_mp_read(&r, &list) < 0 || list.kind != WM_MP_ARRAY) return false;
        for (uint32_t i = 0; i < list.count; i++)
            if (!read_change(d, &r, apply)) return false;
    }
    return true;
}

int wm_partition_map_apply_delta(wm_partition_map *map, const uint8_t *payload, size_t len, const char **error)
{
    decoder d = {.map = map, .is_whole = true};
    enum {
        VERSION,
        PREVIOUS,
        CHANGES,
        FIELDS,
    };
    field fields[FIELDS] = {{.name = "version"}, {.name = "previousVersion"}, {.name = "changes"}};
    uint64_t version = 0, previous = UINT64_MAX;
    *error = "partition map delta: malformed";
    if (!find_fields(&d, payload, len, fields, FIELDS) || fields[CHANGES].bytes == NULL) return WM_EINVAL;
    if (!read_uint(&d, &fields[VERSION], &version) || !read_uint(&d, &fields[PREVIOUS], &previous)) return WM_EINVAL;
    if (previous != map->version) {
        *error = "partition map delta: made for another version";
        return WM_EINVAL;
    }
    if (version <= previous || version == UINT64_MAX) {
        *error = "partition map delta: to no version that counts";
        return WM_EINVAL;
    }
    if (!index_nodes(&d)) return WM_ENOMEM;
    bool ok = apply_changes(&d, fields[CHANGES].bytes, fields[CHANGES].len);
    free(d.index);
    if (!ok) return WM_EINVAL;
    release_bytes(map);
    map->version = version;
    *error = NULL;
    return WM_OK;
}
