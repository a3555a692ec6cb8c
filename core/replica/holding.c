#include "replica/holding.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define KEPT_MARKS (WM_RECORD_CHANGED | WM_RECORD_FIRST | WM_RECORD_UNSAVED)

/* Hashes of records that have changed. */
typedef struct unsaved_list {
    uint32_t *hashes;
    size_t count, cap;
    bool is_kept;
    bool is_lost; /* for want of memory: all records count as changed */
} unsaved_list;

struct wm_holding {
    wm_holding_rules rules;
    const wm_node_names *names;
    wm_record_store *records;
    wm_merkle_sums *sums;
    wm_leaf_index leaves; /* of records that are no graves */
    uint32_t count;
    uint32_t keys;          /* with graves */
    wm_record_space *space; /* that the keys count into; or NULL */
    unsaved_list unsaved;
    uint32_t number; /* wm_holding_number */
};

wm_holding *wm_holding_new(wm_holding_rules rules, const wm_node_names *names)
{
    wm_holding *h = calloc(1, sizeof *h);
    if (h == NULL) return NULL;
    h->rules = rules;
    h->names = names;
    h->records = wm_record_store_new(NULL);
    h->sums = wm_merkle_sums_new(rules.sums, rules.partitions);
    if (h->records != NULL && h->sums != NULL) return h;
    wm_holding_free(h);
    return NULL;
}

void wm_holding_free(wm_holding *h)
{
    if (h == NULL) return;
    wm_holding_count_in(h, NULL);
    wm_record_store_free(h->records);
    wm_merkle_sums_free(h->sums);
    wm_leaf_index_close(&h->leaves);
    free(h->unsaved.hashes);
    free(h);
}

void wm_holding_count_in(wm_holding *h, wm_record_space *space)
{
    if (h->space != NULL) h->space->used -= h->keys;
    h->space = space;
    if (space != NULL) space->used += h->keys;
}

bool wm_holding_takes(wm_holding *h, uint32_t hash, const char *key, size_t len)
{
    wm_record r;
    return h->space == NULL || h->space->used < h->space->most || wm_record_store_get(h->records, hash, key, len, &r);
}

static void count_key(wm_holding *h)
{
    h->keys++;
    if (h->space != NULL) h->space->used++;
}

uint32_t wm_holding_count(const wm_holding *h)
{
    return h->count;
}

const wm_merkle_sums *wm_holding_sums(const wm_holding *h)
{
    return h->sums;
}

static bool is_grave(const wm_record *r)
{
    return r->marks & WM_RECORD_GRAVE;
}

bool wm_holding_look(wm_holding *h, uint32_t hash, const char *key, size_t len, wm_record *out)
{
    return wm_record_store_get(h->records, hash, key, len, out);
}

bool wm_holding_get(wm_holding *h, uint32_t hash, const char *key, size_t len, wm_record *out)
{
    return wm_record_store_get(h->records, hash, key, len, out) && !is_grave(out);
}

size_t wm_holding_next(wm_holding *h, size_t position, wm_record *out)
{
    do position = wm_record_store_next(h->records, position, out);
    while (position != 0 && is_grave(out));
    return position;
}

bool wm_holding_of_hash(wm_holding *h, uint32_t hash, uint32_t nth, wm_record *out)
{
    return wm_record_store_of_hash(h->records, hash, nth, out);
}

const uint32_t *wm_holding_leaf(const wm_holding *h, uint32_t leaf, uint32_t *count)
{
    return wm_leaf_index_read(&h->leaves, leaf, count);
}

/* -- saving ---------------------------------------------------------------------------- */

uint32_t *wm_holding_number(wm_holding *h)
{
    return &h->number;
}

static bool list_unsaved(unsaved_list *l, uint32_t hash)
{
    if (l->count == l->cap) {
        size_t cap = l->cap > 0 ? l->cap * 2 : 64;
        uint32_t *grown = realloc(l->hashes, cap * sizeof *grown);
        if (grown == NULL) return !(l->is_lost = true);
        l->hashes = grown;
        l->cap = cap;
    }
    l->hashes[l->count++] = hash;
    return true;
}

/* The marks of a record that changes now. */
static uint8_t note_change(wm_holding *h, uint32_t hash, uint8_t marks)
{
    if (!h->unsaved.is_kept || marks & WM_RECORD_UNSAVED || !list_unsaved(&h->unsaved, hash)) return marks;
    return marks | WM_RECORD_UNSAVED;
}

static void mark_saved(wm_holding *h, uint32_t hash)
{
    wm_record r;
    for (uint32_t nth = 0; wm_record_store_of_hash(h->records, hash, nth, &r); nth++)
        if (r.marks & WM_RECORD_UNSAVED)
            wm_record_store_mark(h->records, hash, r.key, r.key_len, r.marks & (uint8_t)~WM_RECORD_UNSAVED, r.seen);
}

void wm_holding_track(wm_holding *h, bool all)
{
    unsaved_list *l = &h->unsaved;
    wm_record r;
    l->is_kept = true;
    l->is_lost = false;
    if (!all) return;
    for (size_t at = wm_record_store_next(h->records, 0, &r); at != 0; at = wm_record_store_next(h->records, at, &r)) {
        uint32_t hash = wm_hash(h->rules.hash, r.key, r.key_len);
        uint8_t marks = note_change(h, hash, r.marks);
        if (marks != r.marks) wm_record_store_mark(h->records, hash, r.key, r.key_len, marks, r.seen);
    }
}

const uint32_t *wm_holding_unsaved(wm_holding *h, size_t *count)
{
    if (h->unsaved.is_lost) wm_holding_track(h, true);
    *count = h->unsaved.count;
    return h->unsaved.hashes;
}

void wm_holding_saved(wm_holding *h, size_t count)
{
    unsaved_list *l = &h->unsaved;
    for (size_t i = 0; i < count; i++) mark_saved(h, l->hashes[i]);
    l->count -= count;
    if (l->count > 0) memmove(l->hashes, l->hashes + count, l->count * sizeof *l->hashes);
}

/* -- changes --------------------------------------------------------------------------- */

static wm_timestamp time_of(const wm_holding *h, const wm_record *r)
{
    const char *node = h->names->all[r->node];
    return (wm_timestamp){r->millis, r->counter, node, strlen(node)};
}

static uint32_t item_of(const wm_holding *h, uint32_t hash, const wm_record *r)
{
    wm_timestamp time = time_of(h, r);
    return wm_merkle_item(h->rules.hash, hash, r->key, r->key_len, &time);
}

bool wm_holding_is_news(wm_holding *h, uint32_t hash, const wm_record *r)
{
    wm_record held;
    if (!wm_record_store_get(h->records, hash, r->key, r->key_len, &held)) return true;
    wm_timestamp before = time_of(h, &held), after = time_of(h, r);
    return wm_timestamp_compare(&after, &before) > 0;
}

static int add(wm_holding *h, uint32_t hash, const wm_record *r)
{
    uint32_t item = item_of(h, hash, r);
    if (!wm_leaf_index_add(&h->leaves, hash)) return WM_ENOMEM;
    int status = wm_merkle_sums_add(h->sums, hash, item);
    if (status == WM_OK) {
        status = wm_record_store_put(h->records, hash, r);
        if (status < 0) wm_merkle_sums_remove(h->sums, hash, item);
    }
    if (status < 0) wm_leaf_index_remove(&h->leaves, hash);
    else h->count++;
    return status;
}

int wm_holding_put(wm_holding *h, uint32_t hash, const wm_record *r)
{
    wm_record held, next = *r;
    bool is_known = wm_record_store_get(h->records, hash, r->key, r->key_len, &held);
    next.marks = note_change(h, hash, is_known ? held.marks & KEPT_MARKS : 0);
    if (!is_known || is_grave(&held)) {
        int added = add(h, hash, &next);
        if (added == WM_OK && !is_known) count_key(h);
        return added;
    }
    uint32_t before = item_of(h, hash, &held), after = item_of(h, hash, r);
    int status = wm_record_store_put(h->records, hash, &next);
    if (status == WM_OK) wm_merkle_sums_change(h->sums, hash, before, after);
    return status;
}

void wm_holding_mark(wm_holding *h, uint32_t hash, const char *key, size_t len, uint8_t marks, uint64_t seen)
{
    wm_record_store_mark(h->records, hash, key, len, marks, seen);
}

static int dig(wm_holding *h, uint32_t hash, const char *key, size_t len, uint64_t seen)
{
    wm_record grave = {.key = key, .key_len = (uint32_t)len, .marks = WM_RECORD_GRAVE, .seen = seen};
    int status = wm_record_store_put(h->records, hash, &grave);
    if (status == WM_OK) count_key(h);
    return status;
}

int wm_holding_drop(wm_holding *h, uint32_t hash, const char *key, size_t len, uint64_t seen)
{
    wm_record held;
    if (!wm_record_store_get(h->records, hash, key, len, &held)) return dig(h, hash, key, len, seen);
    if (!is_grave(&held)) {
        wm_merkle_sums_remove(h->sums, hash, item_of(h, hash, &held));
        wm_leaf_index_remove(&h->leaves, hash);
        h->count--;
    }
    uint8_t marks = is_grave(&held) ? held.marks : note_change(h, hash, held.marks);
    wm_record_store_mark(h->records, hash, key, len, (marks & KEPT_MARKS) | WM_RECORD_GRAVE, seen);
    return WM_OK;
}
