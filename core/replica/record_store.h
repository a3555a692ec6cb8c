#ifndef WM_RECORD_STORE_H
#define WM_RECORD_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oplog/oplog.h"

/* Records by their keys: the local copy of one map, or what a node holds of it. Values are MessagePack
 * bytes, so a reader cannot change what is stored. A removed key stays as a tombstone, which is
 * compared with later records like any other. */
typedef struct wm_record_store wm_record_store;

typedef struct wm_record {
    const char *key;
    const uint8_t *value; /* NULL for a tombstone */
    uint64_t millis;
    uint64_t counter;
    uint32_t key_len;
    uint32_t value_len;
    uint32_t node;     /* index of a node id, as the caller interned it */
    uint32_t op;       /* when stored: the operation of this client that writes it, WM_NO_OP for none. When read:
                         * the last such operation; if it is settled, its index may be another one's by now */
    uint16_t acked_by; /* of a replica, as are these: index + 1 of the node that acknowledged it; 0: none */
    uint8_t marks;     /* see replica/holding.h and replica/replica.h */
    uint64_t seen;     /* when it was heard of, or acknowledged: the replica's count of arrivals */
} wm_record;

/* `log` is borrowed: the store calls wm_oplog_follow for operations of one key, as it knows the earlier
 * one. NULL for records that no operation writes. NULL when out of memory. */
wm_record_store *wm_record_store_new(wm_oplog *log);
void wm_record_store_free(wm_record_store *s);
/* Prefetches the place of a key with this hash, for a put that follows. Changes nothing. */
void wm_record_store_expect_place(const wm_record_store *s, uint32_t hash);
/* Stores a record whose time is newer than that of the stored one, such as a local write. Copies key and
 * value. WM_OK or WM_ENOMEM. */
int wm_record_store_put(wm_record_store *s, uint32_t hash, const wm_record *r);
/* As put, for one of many in a row: the record enters the table a few puts later, when the key's place has
 * been prefetched. Functions that read records insert it first. Call wm_record_store_catch_up before a
 * batch is cut. */
int wm_record_store_put_soon(wm_record_store *s, uint32_t hash, const wm_record *r);
/* Inserts all records that were put, and links their operations to earlier ones of their keys. */
void wm_record_store_catch_up(wm_record_store *s);
/* As put, but only when `newer(user, &stored)` says so or the key is new.
 * WM_OK, 1 when the stored record stayed, WM_ENOMEM. */
int wm_record_store_merge(wm_record_store *s, uint32_t hash, const wm_record *r,
                          bool (*newer)(void *user, const wm_record *stored), void *user);
/* The record of a key; false when there is none. Pointers hold until the next
 * put or merge. */
bool wm_record_store_get(wm_record_store *s, uint32_t hash, const char *key, size_t len, wm_record *out);
/* The record number `nth`, from 0, of those whose key has this hash; false when there are fewer. A put may
 * change their order. */
bool wm_record_store_of_hash(wm_record_store *s, uint32_t hash, uint32_t nth, wm_record *out);
/* Sets `marks` and `seen` of a record that exists. */
void wm_record_store_mark(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint8_t marks, uint64_t seen);
/* Notes that `op` writes the stored record of the key once more. The key must exist. */
void wm_record_store_written(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint32_t op);
/* Makes `before` the last operation of the key's record, if `op` is the last one. */
void wm_record_store_rewind(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint32_t op, uint32_t before);
/* Sets acked_by of a record that exists. */
void wm_record_store_set_acked_by(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint16_t acked_by);
/* Keys with a value. */
size_t wm_record_store_size(wm_record_store *s);
/* Walks over all records, with tombstones, in no particular order: begin with position 0, pass each result
 * to the next call, end at 0. If records are added meanwhile, some may be missed or returned twice. */
size_t wm_record_store_next(wm_record_store *s, size_t position, wm_record *out);
#endif
