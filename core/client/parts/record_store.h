#ifndef WM_RECORD_STORE_H
#define WM_RECORD_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oplog/oplog.h"

/* The local copy of one map: key -> newest record, by last-write-wins. Values
 * are kept as MessagePack and handed out as bytes, so a reader can never change
 * what is stored. A removed key stays as a tombstone, which competes with later
 * arrivals like any record. */
typedef struct wm_record_store wm_record_store;

typedef struct wm_record {
    const char *key;
    const uint8_t *value; /* NULL for a tombstone */
    uint64_t millis;
    uint64_t counter;
    uint32_t key_len;
    uint32_t value_len;
    uint32_t node; /* index of a node id, as the caller interned it */
    uint32_t op;   /* put: the operation that writes it, in the log, WM_NO_OP when none of ours does;
                      read: the last one of ours, settled it may be, and its place another's */
    uint16_t echoed_by; /* connection index + 1 on which the server last echoed this client's record; 0: none */
} wm_record;

/* An operation that writes a key follows the one that wrote it before, see wm_oplog_follow:
 * the store is where both are known. `log` is borrowed. NULL when out of memory. */
wm_record_store *wm_record_store_new(wm_oplog *log);
void wm_record_store_free(wm_record_store *s);
/* A put of a key with this hash comes next: its place is brought near while the caller has
 * other things to do. Changes nothing. */
void wm_record_store_expect_place(const wm_record_store *s, uint32_t hash);
/* Stores a record whose time is known to be newer than the stored one (a local
 * write: the clock only goes forward). WM_OK or WM_ENOMEM. Copies key and value. */
int wm_record_store_put(wm_record_store *s, uint32_t hash, const wm_record *r);
/* As put, for one of many in a row: the record goes into the table some puts later, when
 * what the table has of its key has come from memory. Nobody can tell: whoever looks at the
 * records finds it there, and before operations leave wm_record_store_catch_up is called. */
int wm_record_store_put_soon(wm_record_store *s, uint32_t hash, const wm_record *r);
/* All that was put is in the table, and all operations follow those that they must. */
void wm_record_store_catch_up(wm_record_store *s);
/* As put, but only when `newer(user, &stored)` says so or the key is new.
 * WM_OK, 1 when the stored record stayed, WM_ENOMEM. */
int wm_record_store_merge(wm_record_store *s, uint32_t hash, const wm_record *r,
                          bool (*newer)(void *user, const wm_record *stored), void *user);
/* The record of a key; false when there is none. Pointers hold until the next
 * put or merge. */
bool wm_record_store_get(wm_record_store *s, uint32_t hash, const char *key, size_t len, wm_record *out);
/* The operation writes what the record of its key, which is there, says already. */
void wm_record_store_written(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint32_t op);
/* Where `op` was the last operation that wrote the key's record, it is `before` now. */
void wm_record_store_rewind(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint32_t op, uint32_t before);
/* Sets echoed_by of a record that exists. */
void wm_record_store_set_echoed_by(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint16_t echoed_by);
/* Keys with a value. */
size_t wm_record_store_size(wm_record_store *s);
/* Walks all records, tombstones included, in no particular order: start with 0,
 * pass what came back; 0 ends. When records are added meanwhile, some may be missed or
 * met twice. */
size_t wm_record_store_next(wm_record_store *s, size_t position, wm_record *out);
/* Heap allocations made so far, for the counter that benchmarks print. */
uint64_t wm_record_store_allocations(const wm_record_store *s);
#endif
