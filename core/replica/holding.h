#ifndef WM_HOLDING_H
#define WM_HOLDING_H
#include "cluster/merkle_sums.h"
#include "replica/leaf_index.h"
#include "replica/node_names.h"
#include "replica/record_store.h"

/* What one node holds of one map, as far as this client knows, and the hashes that the node's Merkle tree
 * then has. `seen` of a record is the arrival that brought it: arrivals are counted by the replica. A key
 * that the node no longer holds stays as a grave, so that an answer that is older than its removal does
 * not bring it back. */
typedef struct wm_holding wm_holding;

/* Marks of a record. */
#define WM_RECORD_GRAVE 1u    /* the node does not hold the key */
#define WM_RECORD_CHANGED 2u  /* the key is in the list of changes; stays, like the next one, whatever becomes of the record */
#define WM_RECORD_FIRST 16u   /* as one of the snapshot */
#define WM_RECORD_UNSAVED 32u /* it has changed since the holding was saved; only if that is tracked */

typedef struct wm_holding_rules {
    wm_hash_kind hash; /* of keys and items */
    wm_merkle_rule sums;
    uint32_t partitions;
} wm_holding_rules;

/* How many records several holdings may have together. */
typedef struct wm_record_space {
    uint64_t most;
    uint64_t used; /* graves included, as they take memory, too */
} wm_record_space;

/* `names` are borrowed. NULL when out of memory. */
wm_holding *wm_holding_new(wm_holding_rules rules, const wm_node_names *names);
/* NULL is allowed. */
void wm_holding_free(wm_holding *h);

/* Its records count into this space, which is borrowed, until it is freed. It keeps no limit itself: see wm_holding_takes. */
void wm_holding_count_in(wm_holding *h, wm_record_space *space);
/* Whether there is room for a record of the key, as the key is known or the space is not used up. */
bool wm_holding_takes(wm_holding *h, uint32_t hash, const char *key, size_t len);
/* The number of records, 0.11's tombstones included. */
uint32_t wm_holding_count(const wm_holding *h);
const wm_merkle_sums *wm_holding_sums(const wm_holding *h);
/* The record of a key; false when the node does not hold it. Pointers as of wm_record_store_get. `hash` is the
 * key's, here and below. */
bool wm_holding_get(wm_holding *h, uint32_t hash, const char *key, size_t len, wm_record *out);
/* The same with graves, for comparing `seen`. */
bool wm_holding_look(wm_holding *h, uint32_t hash, const char *key, size_t len, wm_record *out);
/* As wm_record_store_next, without graves. */
size_t wm_holding_next(wm_holding *h, size_t position, wm_record *out);
/* The record number `nth` whose key has this hash, graves included; see wm_record_store_of_hash. */
bool wm_holding_of_hash(wm_holding *h, uint32_t hash, uint32_t nth, wm_record *out);
/* The hashes of a leaf; see wm_leaf_index_read. */
const uint32_t *wm_holding_leaf(const wm_holding *h, uint32_t leaf, uint32_t *count);

/* Whether a record that the node reports is news: its time is later than that of the held record, or of the
 * grave. */
bool wm_holding_is_news(wm_holding *h, uint32_t hash, const wm_record *r);
/* Holds a record from now on, in place of the key's former one. Copies key and value. WM_OK, or WM_ENOMEM:
 * nothing changed. */
int wm_holding_put(wm_holding *h, uint32_t hash, const wm_record *r);
/* Sets `marks` and `seen` of a record that is there, a grave or not; see wm_record_store_mark. */
void wm_holding_mark(wm_holding *h, uint32_t hash, const char *key, size_t len, uint8_t marks, uint64_t seen);
/* Makes the record of a key a grave. WM_OK, or WM_ENOMEM: nothing changed. */
int wm_holding_drop(wm_holding *h, uint32_t hash, const char *key, size_t len, uint64_t seen);

/* -- saving -- */

/* Notes from now on which records change. `all`: each record counts as changed now. What cannot be noted for want of
 * memory makes wm_holding_unsaved do this again. */
void wm_holding_track(wm_holding *h, bool all);
/* The hashes of the records that changed since they were saved, graves included, each at least once: those with
 * WM_RECORD_UNSAVED. Valid until the holding changes. */
const uint32_t *wm_holding_unsaved(wm_holding *h, size_t *count);
/* The records of the first `count` of these hashes are saved. */
void wm_holding_saved(wm_holding *h, size_t count);
/* A number that the code that saves the holding may set; 0 in a new one. */
uint32_t *wm_holding_number(wm_holding *h);
#endif
