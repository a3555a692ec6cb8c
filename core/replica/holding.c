#include "replica/holding.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define KEPT_MARKS (WM_RECORD_CHANGED | WM_RECORD_FIRST)

struct wm_holding {
    wm_holding_rules rules;
    const wm_node_names *names;
    wm_record_store *records;
    wm_merkle_sums *sums;
    wm_leaf_index leaves; /* of records that are no graves */
    uint32_t count;
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
    wm_record_store_free(h->records);
    wm_merkle_sums_free(h->sums);
    wm_leaf_index_close(&h->leaves);
    free(h);
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
    next.marks = is_known ? held.marks & KEPT_MARKS : 0;
    if (!is_known || is_grave(&held)) return add(h, hash, &next);
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
    return wm_record_store_put(h->records, hash, &grave);
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
    wm_record_store_mark(h->records, hash, key, len, (held.marks & KEPT_MARKS) | WM_RECORD_GRAVE, seen);
    return WM_OK;
}
