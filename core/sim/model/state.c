#include "sim/model/state.h"

#include <string.h>
#include <time.h>

uint64_t sim_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* xorshift64*. */
uint32_t sim_random(sim_cluster *c, uint32_t bound)
{
    c->random ^= c->random >> 12;
    c->random ^= c->random << 25;
    c->random ^= c->random >> 27;
    uint64_t high = c->random * UINT64_C(0x2545f4914f6cdd1d) >> 32;
    return (uint32_t)(high * bound >> 32);
}

sim_node *sim_cluster_find(const sim_cluster *c, const char *id)
{
    for (uint32_t i = 0; i < c->node_count; i++)
        if (strcmp(c->nodes[i]->id, id) == 0) return c->nodes[i];
    return NULL;
}

uint32_t sim_cluster_members(const sim_cluster *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++) count += c->nodes[i]->member;
    return count;
}

bool sim_cluster_is_multi_node(const sim_cluster *c)
{
    return c->node_count > 1;
}

uint32_t sim_partition_of(const sim_cluster *c, uint32_t key_hash)
{
    return key_hash % c->options->partitions;
}

bool sim_node_owns(const sim_node *n, uint32_t partition)
{
    return n->view.owners[partition] == n->index;
}

static void kill_late(void *owner, const uint8_t *bytes, size_t len)
{
    sim_node *n = owner;
    (void)bytes;
    (void)len;
    n->cluster->kill(n);
}

void sim_node_kill_soon(sim_node *n)
{
    sim_delay_call(&n->cluster->delays, 0, kill_late, n, NULL, 0);
}
