#include "sim/server/cluster.h"

#include <stdlib.h>

#include "sim/model/placement.h"
#include "sim/model/subscription.h"
#include "sim/server/map_message.h"
#include "sim/server/node.h"
#include "sim/server/socket.h"
#include "sim/session/dialect.h"
#include "sim/wire/alloc.h"

/* -- changes of the membership -- */

/* Every member but `except` notices within `spread_ms` that owners have changed, each at its
 * own instant. */
static void changed(sim_cluster *c, const char *reason, const sim_node *except, uint64_t spread_ms)
{
    sim_placement_update(c);
    if (c->dialect->replicates) sim_placement_redistribute(c);
    c->change_reason = reason;
    for (uint32_t i = 0; i < c->node_count; i++) {
        sim_node *n = c->nodes[i];
        if (n->running && n->member && n != except) sim_map_changed(n, spread_ms);
    }
}

static void leave(sim_cluster *c, sim_node *n, bool failed)
{
    if (!n->member) return;
    n->member = false;
    n->failed = failed && c->family == SIM_FAMILY_V2;
    changed(c, failed ? "FAILOVER" : "LEAVE", NULL, c->options->spread_ms);
}

static void notice_loss(void *owner, const uint8_t *bytes, size_t len)
{
    sim_node *n = owner;
    (void)bytes;
    (void)len;
    if (!n->running) leave(n->cluster, n, true);
}

static const char *start(sim_cluster *c, sim_node *n)
{
    int rc = sim_node_start(n);
    if (rc != 0) return uv_strerror(rc);
    n->member = true;
    n->failed = false;
    uint32_t members = sim_cluster_members(c);
    n->map_version = c->dialect->first_version(members, members - 1);
    changed(c, "JOIN", n, c->options->spread_ms);
    sim_map_adopt(n);
    sim_map_remember_pushed(n);
    return NULL;
}

const char *sim_cluster_kill(sim_cluster *c, sim_node *n)
{
    if (!n->running) return "is not running";
    sim_node_end(n, false);
    sim_delay_call(&c->delays, c->options->detection_ms, notice_loss, n, NULL, 0);
    return NULL;
}

static void kill_node(sim_node *n)
{
    sim_cluster_kill(n->cluster, n);
}

const char *sim_cluster_stop(sim_cluster *c, sim_node *n)
{
    if (!n->running) return "is not running";
    sim_node_end(n, true);
    leave(c, n, false);
    return NULL;
}

const char *sim_cluster_restart(sim_cluster *c, sim_node *n)
{
    if (n->running) return "is running";
    leave(c, n, true); /* when nobody had noticed yet */
    return start(c, n);
}

const char *sim_cluster_move(sim_cluster *c, uint32_t partition, sim_node *to)
{
    if (!to->member) return "is not a member of the cluster";
    c->moved_to[partition] = to->index;
    changed(c, "REBALANCE", NULL, 0);
    return NULL;
}

/* -- the whole -- */

static void before_poll(uv_prepare_t *handle)
{
    sim_sockets_flush(handle->data);
}

static void after_poll(uv_check_t *handle)
{
    sim_sockets_flush(handle->data);
}

static bool start_all(sim_cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        int rc = sim_node_start(c->nodes[i]);
        if (rc != 0) {
            fprintf(stderr, "wingman sim: %s: port %d: %s\n", c->nodes[i]->id, c->nodes[i]->port, uv_strerror(rc));
            return false;
        }
        c->nodes[i]->member = true;
        c->nodes[i]->map_version = c->dialect->first_version(c->node_count, i);
    }
    sim_placement_update(c);
    for (uint32_t i = 0; i < c->node_count; i++) {
        sim_map_adopt(c->nodes[i]);
        sim_map_remember_pushed(c->nodes[i]);
    }
    return true;
}

static uint16_t *node_table(uint32_t partitions)
{
    uint16_t *table = sim_alloc(partitions * sizeof *table);
    for (uint32_t i = 0; i < partitions; i++) table[i] = SIM_NO_NODE;
    return table;
}

/* One step of splitmix64. */
static uint64_t seeded(uint64_t seed)
{
    uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return z ? z : 1;
}

sim_cluster *sim_cluster_new(uv_loop_t *loop, const sim_options *options)
{
    sim_cluster *c = sim_alloc(sizeof *c);
    c->loop = loop;
    c->options = options;
    c->dialect = options->is_0_11 ? &sim_dialect_0_11 : options->is_head ? &sim_dialect_head
                                                                         : &sim_dialect_v2;
    c->family = c->dialect->family;
    c->delays.loop = loop;
    c->kill = kill_node;
    c->subscriptions = sim_alloc(sizeof *c->subscriptions);
    c->random = seeded(options->seed);
    c->change_reason = "JOIN";
    c->owners = node_table(options->partitions);
    c->backups = node_table(options->partitions);
    c->moved_to = node_table(options->partitions);
    c->nodes = sim_alloc(options->nodes * sizeof *c->nodes);
    uv_prepare_init(loop, &c->before_poll);
    uv_check_init(loop, &c->after_poll);
    c->before_poll.data = c->after_poll.data = c;
    uv_prepare_start(&c->before_poll, before_poll);
    uv_check_start(&c->after_poll, after_poll);
    bool ok = true;
    for (uint32_t i = 0; ok && i < options->nodes; i++) {
        c->nodes[i] = sim_node_new(c, (uint16_t)i, options->ports[i]);
        if (c->nodes[i] != NULL) c->node_count++;
        else ok = false;
    }
    if (ok && start_all(c)) return c;
    sim_cluster_close(c);
    uv_run(loop, UV_RUN_DEFAULT);
    sim_cluster_free(c);
    return NULL;
}

void sim_cluster_close(sim_cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i]->running) sim_node_end(c->nodes[i], false);
        sim_sockets_drop(c->nodes[i], SIM_ALL_SESSIONS, false);
    }
    sim_delays_cancel(&c->delays);
    uv_close((uv_handle_t *)&c->before_poll, NULL);
    uv_close((uv_handle_t *)&c->after_poll, NULL);
}

void sim_cluster_free(sim_cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) sim_node_free(c->nodes[i]);
    sim_subscriptions_close(c->subscriptions);
    free(c->subscriptions);
    sim_names_close(&c->names);
    wm_buffer_close(&c->frame);
    wm_buffer_close(&c->out);
    wm_buffer_close(&c->text);
    free(c->owners);
    free(c->backups);
    free(c->moved_to);
    free(c->nodes);
    free(c->ops);
    free(c);
}
