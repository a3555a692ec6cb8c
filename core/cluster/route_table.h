#ifndef WM_ROUTE_TABLE_H
#define WM_ROUTE_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

/* Where the operations of each partition go, and which partition a key belongs to. A client has one route
 * table; the batcher and the script read it. */

#define WM_NO_CONNECTION (-1)

typedef struct wm_partition_route {
    int node_index;     /* the node that the routing policy chose; -1: none, its operations are held */
    int home;           /* the last node that the policy chose: it stays while node_index is -1; -1: none yet */
    int connection;     /* a usable one to node_index, which its operations are sent on; WM_NO_CONNECTION: none */
    bool to_owner;      /* the node is the partition's owner in the held map */
    uint64_t moved_us;  /* when the route changed or its connection was lost, until its first ack; 0 else */
    uint64_t moved_seq; /* the newest operation when the route last changed, or when a node that had
                          * lost the partition acknowledged one */
} wm_partition_route;

typedef struct wm_route_table {
    wm_hash_kind hash;
    uint32_t count;          /* of partitions */
    uint64_t magic;          /* 2^64 / count, rounded up; see wm_route_table_partition_of_hash */
    uint64_t changes;        /* how often the operations of a partition were given another connection, or none */
    bool is_new;             /* no route was set yet: all partitions are held */
    wm_partition_route *all; /* by partition */
} wm_route_table;

/* A table of held partitions. False when out of memory: then nothing is to be closed. */
bool wm_route_table_init(wm_route_table *t, wm_hash_kind hash, uint32_t count);
void wm_route_table_close(wm_route_table *t);

/* hash % partition count without a division: "Faster Remainder by Direct
 * Computation" (Lemire, Kaser, Kurz 2019), exact for 32-bit numbers. */
static inline uint32_t wm_route_table_partition_of_hash(const wm_route_table *t, uint32_t hash)
{
    uint64_t fraction = t->magic * hash;
    return (uint32_t)(((unsigned __int128)fraction * t->count) >> 64);
}

/* The partition of a key. */
uint32_t wm_route_table_partition_of(const wm_route_table *t, const char *key, size_t len);
#endif
