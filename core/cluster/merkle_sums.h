#ifndef WM_MERKLE_SUMS_H
#define WM_MERKLE_SUMS_H
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/hlc.h"

/* The hashes of the Merkle tree of one map at one node, as that node's server computes them from the
 * keys and timestamps of its records; values do not count. Two holders of the same records have equal
 * hashes at every path.
 *
 * A path is the first 0 to 3 hex digits of a key's hash: `depth` digits with the value `digits`, so
 * depth 0 is the root and depth 3 are the leaves. A place that holds nothing has the hash 0. */
typedef struct wm_merkle_sums wm_merkle_sums;

#define WM_MERKLE_DEPTH 3

/* How the items below a place make its hash. */
typedef enum wm_merkle_rule {
    /* 0.11 and 2.2.0: the sum of the items, modulo 2^32. Updates cost four additions. 17 KiB. */
    WM_MERKLE_PLAIN,
    /* Head: each partition has a tree, in which every place is the sum of fmix32(child); what is answered for a
     * path is the sum over all partitions of fmix32(place). Updates look up four places of one partition. 12
     * bytes for each place that holds something, of which a key has at most four. */
    WM_MERKLE_MIXED,
} wm_merkle_rule;

/* What one record adds: hash("key:millis:counter:node"). `kind` is that of the server, WM_HASH_FNV1A for
 * every v2 server; `key_hash` is the key's, of the same kind. A tombstone counts as a record. */
uint32_t wm_merkle_item(wm_hash_kind kind, uint32_t key_hash, const char *key, size_t len, const wm_timestamp *stamp);

/* Sums of no records. `partitions` is the cluster's number of partitions, 1 to 65,536; WM_MERKLE_PLAIN does
 * without it. NULL when out of memory. */
wm_merkle_sums *wm_merkle_sums_new(wm_merkle_rule rule, uint32_t partitions);
/* NULL is allowed. */
void wm_merkle_sums_free(wm_merkle_sums *s);
/* Removes every item; keeps the memory. */
void wm_merkle_sums_clear(wm_merkle_sums *s);

/* Adds an item. WM_OK; WM_ENOMEM: nothing was changed (WM_MERKLE_MIXED only). */
int wm_merkle_sums_add(wm_merkle_sums *s, uint32_t key_hash, uint32_t item);
/* Removes an item that was added. */
void wm_merkle_sums_remove(wm_merkle_sums *s, uint32_t key_hash, uint32_t item);
/* Replaces an item that was added by that of the key's next record. */
void wm_merkle_sums_change(wm_merkle_sums *s, uint32_t key_hash, uint32_t before, uint32_t after);

/* The hash that the server answers for the root. */
uint32_t wm_merkle_sums_root(const wm_merkle_sums *s);
/* The hash that it answers for a path; `depth` is at most WM_MERKLE_DEPTH, `digits` below 16^depth. */
uint32_t wm_merkle_sums_at(const wm_merkle_sums *s, uint32_t depth, uint32_t digits);
/* Bytes of memory in use. */
size_t wm_merkle_sums_bytes(const wm_merkle_sums *s);
#endif
