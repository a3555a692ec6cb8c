#ifndef SIM_STORE_H
#define SIM_STORE_H
#include "base/buffer.h"
#include "base/hash.h"
#include "base/hlc.h"
#include "sim/model/merkle.h"
#include "sim/model/names.h"

/* What one node holds in memory: map name -> key -> record. */

typedef struct sim_record {
    sim_merkle_item item;    /* the first member: a leaf's items are records */
    struct sim_record *next; /* in the order of insertion */
    struct sim_record *prev;
    uint64_t millis;
    uint64_t counter;
    const sim_name *node;
    uint8_t *value; /* MessagePack; nil for a tombstone */
    double ttl_ms;  /* 0: none */
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
    sim_record **slots;
    uint32_t slot_count;
    uint32_t count;
    uint32_t live; /* records that are no tombstones */
    sim_merkle merkle;
} sim_map;

#define SIM_STORE_BUCKETS 256

typedef struct sim_store {
    sim_map *maps;
    sim_map *buckets[SIM_STORE_BUCKETS]; /* by the hash of the name */
    wm_hash_kind hash;
    bool keep_empty; /* Merkle nodes, see sim_merkle */
    wm_buffer scratch;
} sim_store;

/* What is to be stored; the bytes are copied. */
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

void sim_store_close(sim_store *s);
/* The map of this name; NULL when there is none. Names are compared by pointer:
 * they come from the one table of the cluster. */
sim_map *sim_store_find_map(sim_store *s, const sim_name *name);
/* The same, made when it is not there. */
sim_map *sim_store_map(sim_store *s, const sim_name *name, sim_map_kind kind);

sim_record *sim_map_find(const sim_map *m, uint32_t key_hash, const char *key, size_t len);
/* Whether a write at this time replaces the record (NULL: there is none): only
 * a strictly greater time does. */
bool sim_record_loses(const sim_record *r, uint64_t millis, uint64_t counter, const sim_name *node);
/* Stores without comparing. `r` is what sim_map_find gave for the key. */
sim_record *sim_map_put(sim_store *s, sim_map *m, sim_record *r, const sim_write *w);
/* Forgets a record for good. */
void sim_map_remove(sim_map *m, sim_record *r);

bool sim_value_is_nil(const uint8_t *value, size_t len);
/* Whether a reader sees a value: no tombstone, not expired. */
bool sim_record_present(const sim_record *r, uint64_t wall_ms);
#endif
