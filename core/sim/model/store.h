#ifndef SIM_STORE_H
#define SIM_STORE_H
#include "base/buffer.h"
#include "base/hash.h"
#include "base/hlc.h"
#include "sim/model/merkle.h"
#include "sim/model/names.h"
#include "sim/model/partition_tree.h"

/* The store of one node, in memory: map name -> key -> record. */

typedef struct sim_record {
    sim_merkle_item item;    /* stands first: an item of a leaf is cast to its record */
    struct sim_record *next; /* in the order of insertion */
    struct sim_record *prev;
    uint64_t millis;
    uint64_t counter;
    const sim_name *node; /* the writer; millis, counter and node are the timestamp */
    uint8_t *value;       /* MessagePack; nil for a tombstone */
    double ttl_ms;        /* from `millis` on; 0: never expires */
    uint32_t value_len;
    uint32_t value_cap;
    uint32_t key_len;
    char key[];
} sim_record;

typedef enum sim_map_kind {
    SIM_MAP_LWW,
    SIM_MAP_OR,
} sim_map_kind;

typedef struct sim_map {
    struct sim_map *next; /* of the store */
    struct sim_map *next_in_bucket;
    const sim_name *name;
    sim_map_kind kind;
    sim_record *first;
    sim_record *last;
    sim_record **slots;  /* a hash table with open addressing */
    uint32_t slot_count; /* a power of two, 0 at first */
    uint32_t count;
    uint32_t live; /* records that are no tombstones */
    sim_merkle merkle;
    sim_partition_trees by_partition;
} sim_map;

#define SIM_STORE_BUCKETS 256

typedef struct sim_store {
    sim_map *maps;
    sim_map *buckets[SIM_STORE_BUCKETS]; /* by the hash of the name */
    wm_hash_kind hash;                   /* of keys and Merkle items */
    uint32_t tree_count;                 /* for sim_partition_trees.count of new maps */
} sim_store;

/* The content of a record to be stored. The store copies key and value, not the name. */
typedef struct sim_write {
    const char *key;
    size_t key_len;
    uint32_t key_hash;
    const uint8_t *value;
    size_t value_len;
    uint64_t millis;
    uint64_t counter;
    const sim_name *node;
    double ttl_ms;
} sim_write;

/* Frees all maps and records; the store is empty then and may be used again. */
void sim_store_close(sim_store *s);
/* Frees the maps for whose names `is_forgotten`. */
void sim_store_forget(sim_store *s, bool (*is_forgotten)(const sim_name *name));
/* The map of this name, which the store owns; NULL when there is none. Names are compared by
 * pointer: they come from the cluster's table of names. */
sim_map *sim_store_find_map(sim_store *s, const sim_name *name);
/* The map of this name; makes it, of this kind, when there is none. */
sim_map *sim_store_map(sim_store *s, const sim_name *name, sim_map_kind kind);

/* The record of a key, tombstones included; the map owns it until sim_map_remove. NULL for none. */
sim_record *sim_map_find(const sim_map *m, uint32_t key_hash, const char *key, size_t len);
/* Whether a write with this timestamp replaces the record (NULL: there is none): it does when its
 * timestamp is strictly greater. */
bool sim_record_loses(const sim_record *r, uint64_t millis, uint64_t counter, const sim_name *node);
/* Stores a write whatever its timestamp. `r` is what sim_map_find found for the key, NULL included.
 * Returns the record. */
sim_record *sim_map_put(sim_store *s, sim_map *m, sim_record *r, const sim_write *w);
/* Removes and frees a record; leaves no tombstone. */
void sim_map_remove(sim_map *m, sim_record *r);
/* Forgets the tombstones of all maps that are strictly older. */
void sim_store_prune(sim_store *s, const wm_timestamp *older_than);

/* Whether the value is MessagePack's nil, which marks a tombstone. */
bool sim_value_is_nil(const uint8_t *value, size_t len);
/* Whether the record has a value for readers: it is no tombstone and has not expired at `wall_ms`
 * (Unix milliseconds). */
bool sim_record_present(const sim_record *r, uint64_t wall_ms);
#endif
