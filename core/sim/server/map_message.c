#include "sim/server/map_message.h"

#include <string.h>

#include "sim/model/placement.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/session/session.h"
#include "sim/wire/compare.h"

#define PUSH_MIN_MS 10
#define PAUSED_RETRY_MS 5

static bool is_member(const sim_node *viewer, const sim_node *n)
{
    return (viewer->view.members >> n->index & 1) != 0;
}

static bool is_listed(const sim_node *viewer, const sim_node *n)
{
    return is_member(viewer, n) || n->failed;
}

static void put_node(wm_buffer *b, const sim_node *viewer, const sim_node *n)
{
    sim_family family = n->cluster->family;
    char url[64];
    n->cluster->dialect->endpoint(viewer, n, url, sizeof url);
    sim_put_map(b, family, 3);
    sim_put_pair(b, "nodeId", n->id, strlen(n->id));
    sim_put_text(b, "endpoints");
    sim_put_map(b, family, 1);
    sim_put_pair(b, "websocket", url, strlen(url));
    sim_put_text(b, "status");
    sim_put_text(b, is_member(viewer, n) ? "ACTIVE" : "FAILED");
}

/* 0.11 puts itself first, v2 keeps the order of the nodes. */
static void put_nodes(wm_buffer *b, const sim_node *viewer)
{
    sim_cluster *c = viewer->cluster;
    bool self_first = c->family == SIM_FAMILY_0_11;
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++) count += is_listed(viewer, c->nodes[i]);
    wm_mp_write_array(b, count);
    if (self_first && is_listed(viewer, viewer)) put_node(b, viewer, viewer);
    for (uint32_t i = 0; i < c->node_count; i++) {
        const sim_node *n = c->nodes[i];
        if (is_listed(viewer, n) && !(self_first && n == viewer)) put_node(b, viewer, n);
    }
}

static void put_partitions(wm_buffer *b, const sim_node *viewer)
{
    const sim_cluster *c = viewer->cluster;
    const uint16_t *owners = viewer->faults.map_stale ? viewer->pushed_owners : viewer->view.owners;
    wm_mp_write_array(b, c->options->partitions);
    for (uint32_t p = 0; p < c->options->partitions; p++) {
        const char *owner = owners[p] != SIM_NO_NODE ? c->nodes[owners[p]]->id : "";
        sim_put_map(b, c->family, 3);
        sim_put_text(b, "partitionId");
        sim_put_uint(b, c->family, p);
        sim_put_pair(b, "ownerNodeId", owner, strlen(owner));
        sim_put_text(b, "backupNodeIds");
        uint16_t backup = viewer->view.backups[p];
        wm_mp_write_array(b, backup != SIM_NO_NODE ? 1 : 0);
        if (backup != SIM_NO_NODE) sim_put_text(b, c->nodes[backup]->id);
    }
}

static uint64_t version_of(const sim_node *n)
{
    return n->faults.map_stale ? n->pushed_version : n->map_version;
}

static wm_buffer *full_map(const sim_node *viewer)
{
    sim_cluster *c = viewer->cluster;
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_PARTITION_MAP, 5);
    sim_put_text(b, "version");
    sim_put_uint(b, c->family, version_of(viewer));
    sim_put_text(b, "partitionCount");
    sim_put_uint(b, c->family, c->options->partitions);
    sim_put_text(b, "nodes");
    put_nodes(b, viewer);
    sim_put_text(b, "partitions");
    put_partitions(b, viewer);
    sim_put_text(b, "generatedAt");
    sim_put_uint(b, c->family, sim_wall_ms());
    return b;
}

static void put_owner_id(wm_buffer *b, const sim_cluster *c, const char *key, uint16_t node)
{
    sim_put_text(b, key);
    sim_put_text(b, node != SIM_NO_NODE ? c->nodes[node]->id : "");
}

/* No server sends such a message; clients must understand it all the same. */
static wm_buffer *delta(const sim_node *n)
{
    sim_cluster *c = n->cluster;
    uint32_t changes = 0;
    for (uint32_t p = 0; p < c->options->partitions; p++) changes += n->pushed_owners[p] != n->view.owners[p];
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_PARTITION_MAP_DELTA, 4);
    sim_put_text(b, "version");
    sim_put_uint(b, c->family, n->map_version);
    sim_put_text(b, "previousVersion");
    sim_put_uint(b, c->family, n->pushed_version);
    sim_put_text(b, "changes");
    wm_mp_write_array(b, changes);
    for (uint32_t p = 0; p < c->options->partitions; p++) {
        if (n->pushed_owners[p] == n->view.owners[p]) continue;
        sim_put_map(b, c->family, 4);
        sim_put_text(b, "partitionId");
        sim_put_uint(b, c->family, p);
        put_owner_id(b, c, "previousOwner", n->pushed_owners[p]);
        put_owner_id(b, c, "newOwner", n->view.owners[p]);
        sim_put_text(b, "reason");
        sim_put_text(b, c->change_reason);
    }
    sim_put_text(b, "timestamp");
    sim_put_uint(b, c->family, sim_wall_ms());
    return b;
}

bool sim_on_map_request(sim_session *s, const wm_message *m)
{
    sim_node *n = s->node;
    uint64_t current = 0;
    const uint8_t *field = NULL;
    size_t len = 0;
    if (m->payload != NULL) wm_mp_find(m->payload, m->payload_len, "currentVersion", &field, &len);
    wm_mp_item it = sim_item_of(field, len);
    if (it.kind != WM_MP_ABSENT && !(it.kind == WM_MP_NIL && n->cluster->family == SIM_FAMILY_V2)) {
        if (n->cluster->family == SIM_FAMILY_V2 && it.kind == WM_MP_FLOAT) return false;
        if (!wm_mp_as_uint(&it, &current)) return false;
    }
    sim_stats_map_request(&n->stats, sim_wall_ms(), current);
    if (current < version_of(n) && !n->faults.map_withhold) sim_session_send(s, full_map(n));
    return true;
}

void sim_map_remember_pushed(sim_node *n)
{
    n->pushed_version = n->map_version;
    memcpy(n->pushed_owners, n->view.owners, n->cluster->options->partitions * sizeof *n->pushed_owners);
}

static void push(void *owner, const uint8_t *bytes, size_t len)
{
    sim_node *n = owner;
    (void)bytes;
    (void)len;
    if (n->paused) {
        sim_delay_call(&n->delays, PAUSED_RETRY_MS, push, n, NULL, 0);
        return;
    }
    if (n->faults.map_stale) return;
    if (n->pushed_version == n->map_version) return; /* an earlier push said it already */
    if (!n->faults.map_withhold && !n->faults.map_unpushed) {
        const wm_buffer *b = n->cluster->sends_deltas ? delta(n) : full_map(n);
        for (sim_session *s = n->sessions; s != NULL; s = s->next)
            if (sim_session_ready(s)) sim_session_send(s, b);
    }
    sim_map_remember_pushed(n);
}

void sim_map_adopt(sim_node *n)
{
    const sim_cluster *c = n->cluster;
    size_t size = c->options->partitions * sizeof *c->owners;
    memcpy(n->view.owners, c->owners, size);
    memcpy(n->view.backups, c->backups, size);
    n->view.members = 0;
    for (uint32_t i = 0; i < c->node_count; i++)
        if (c->nodes[i]->member) n->view.members |= UINT64_C(1) << i;
}

static void notice(void *owner, const uint8_t *bytes, size_t len)
{
    sim_node *n = owner;
    sim_cluster *c = n->cluster;
    (void)bytes;
    (void)len;
    if (n->paused && c->options->spread_ms > 0) {
        sim_delay_call(&n->delays, PAUSED_RETRY_MS, notice, n, NULL, 0);
        return;
    }
    sim_map_adopt(n);
    n->map_version++;
    if (c->dialect->replicates) sim_placement_redistribute(c); /* what it took as the owner that it was */
    uint32_t push_spread = (uint32_t)c->dialect->push_ms - PUSH_MIN_MS + 1;
    sim_delay_call(&n->delays, PUSH_MIN_MS + sim_random(c, push_spread), push, n, NULL, 0);
}

void sim_map_changed(sim_node *n, uint64_t spread_ms)
{
    if (spread_ms == 0) notice(n, NULL, 0);
    else sim_delay_call(&n->delays, sim_random(n->cluster, (uint32_t)spread_ms + 1), notice, n, NULL, 0);
}
