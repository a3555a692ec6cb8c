#include "record_store.h"

#include <stdlib.h>
#include <string.h>

#include "status.h"

/* A key and its value in one block, the value at a fixed place behind the key,
 * so that an update of the same size allocates nothing. */
typedef struct entry {
    uint64_t millis;
    uint64_t counter;
    uint32_t node;
    uint32_t key_len;
    uint32_t value_len;
    uint32_t value_cap;
    uint32_t op;
    uint16_t told;
    bool removed;
    char key[]; /* key_len bytes, then value_cap bytes */
} entry;

typedef struct slot {
    uint32_t hash;
    entry *entry;
} slot;

typedef struct table {
    slot *slots; /* NULL: there is no such table */
    size_t mask;
} table;

/* Open addressing with linear probing; keys are never taken out (a removed key
 * is a tombstone), so probing needs no deleted marks. A table that grows moves into
 * the larger one a few slots with each write: all at once, it would stop a game
 * server's tick for as long as there are keys. */
struct wm_record_store {
    table table;
    table old;    /* what is still moving */
    size_t moved; /* slots of `old` that are in `table`; their entries are not ours to read */
    size_t used;
    size_t live;
    uint64_t allocations;
};

#define FIRST_SLOTS 64u
/* Slots that one write moves: with two it would be through before the next growth. */
#define MOVED_PER_WRITE 8u

wm_record_store *wm_record_store_new(void)
{
    wm_record_store *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->table = (table){calloc(FIRST_SLOTS, sizeof(slot)), FIRST_SLOTS - 1};
    if (s->table.slots != NULL) return s;
    free(s);
    return NULL;
}

void wm_record_store_free(wm_record_store *s)
{
    if (s == NULL) return;
    for (size_t i = 0; i <= s->table.mask; i++) free(s->table.slots[i].entry);
    for (size_t i = s->moved; s->old.slots != NULL && i <= s->old.mask; i++) free(s->old.slots[i].entry);
    free(s->table.slots);
    free(s->old.slots);
    free(s);
}

/* FNV-1a's low bits are good, XXH64's too; one multiply spreads partitions that
 * share a remainder. */
static size_t home(const table *t, uint32_t hash)
{
    return (size_t)((hash * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & t->mask;
}

/* The key's slot, or the empty one where it belongs. The entries of the first `moved`
 * slots have gone elsewhere: they are passed by unread. */
static slot *find_in(const table *t, size_t moved, uint32_t hash, const char *key, size_t len)
{
    for (size_t i = home(t, hash);; i = (i + 1) & t->mask) {
        slot *at = &t->slots[i];
        if (at->entry == NULL) return at;
        if (i < moved || at->hash != hash) continue;
        if (at->entry->key_len == len && memcmp(at->entry->key, key, len) == 0) return at;
    }
}

static slot *find(const wm_record_store *s, uint32_t hash, const char *key, size_t len)
{
    slot *at = find_in(&s->table, 0, hash, key, len);
    if (at->entry != NULL || s->old.slots == NULL) return at;
    slot *old = find_in(&s->old, s->moved, hash, key, len);
    return old->entry != NULL ? old : at;
}

static void move_some(wm_record_store *s, size_t count)
{
    table *t = &s->table;
    for (; count > 0 && s->moved <= s->old.mask; count--) {
        slot from = s->old.slots[s->moved++];
        if (from.entry == NULL) continue;
        size_t to = home(t, from.hash);
        while (t->slots[to].entry != NULL) to = (to + 1) & t->mask;
        t->slots[to] = from;
    }
    if (s->moved <= s->old.mask) return;
    free(s->old.slots);
    s->old = (table){0};
    s->moved = 0;
}

static bool grow(wm_record_store *s)
{
    size_t count = (s->table.mask + 1) * 2;
    slot *fresh = calloc(count, sizeof *fresh);
    if (fresh == NULL) return false;
    s->allocations++;
    s->old = s->table;
    s->moved = 0;
    s->table = (table){fresh, count - 1};
    return true;
}

static uint8_t *value_of(entry *e)
{
    return (uint8_t *)e->key + e->key_len;
}

/* An entry of the slot with room for the value. */
static entry *make_entry(wm_record_store *s, slot *at, const wm_record *r)
{
    entry *e = at->entry;
    if (e != NULL && e->value_cap >= r->value_len) return e;
    uint32_t cap = e == NULL ? r->value_len : r->value_len + r->value_len / 2;
    entry *made = realloc(e, sizeof *made + r->key_len + cap);
    if (made == NULL) return NULL;
    s->allocations++;
    if (e == NULL) {
        made->key_len = r->key_len;
        made->removed = true; /* not live until it is filled */
        memcpy(made->key, r->key, r->key_len);
        s->used++;
    }
    made->value_cap = cap;
    at->entry = made;
    return made;
}

static int store(wm_record_store *s, slot *at, uint32_t hash, const wm_record *r)
{
    entry *e = make_entry(s, at, r);
    if (e == NULL) return WM_ENOMEM;
    bool removed = r->value == NULL;
    if (e->removed && !removed) s->live++;
    if (!e->removed && removed) s->live--;
    at->hash = hash;
    e->removed = removed;
    e->millis = r->millis;
    e->counter = r->counter;
    e->node = r->node;
    e->op = r->op;
    e->told = r->told;
    e->value_len = removed ? 0 : r->value_len;
    if (!removed) memcpy(value_of(e), r->value, r->value_len);
    return WM_OK;
}

void wm_record_store_expect_place(const wm_record_store *s, uint32_t hash)
{
    __builtin_prefetch(&s->table.slots[home(&s->table, hash)]);
}

void wm_record_store_expect_record(const wm_record_store *s, uint32_t hash)
{
    const slot *at = &s->table.slots[home(&s->table, hash)];
    __builtin_prefetch(at->entry, 1);
}

static bool make_space(wm_record_store *s)
{
    if (s->old.slots != NULL) move_some(s, MOVED_PER_WRITE);
    return (s->used + 1) * 4 <= (s->table.mask + 1) * 3 || grow(s);
}

int wm_record_store_put(wm_record_store *s, uint32_t hash, const wm_record *r)
{
    if (!make_space(s)) return WM_ENOMEM;
    return store(s, find(s, hash, r->key, r->key_len), hash, r);
}

static void read_entry(entry *e, wm_record *out)
{
    *out = (wm_record){
        .key = e->key,
        .key_len = e->key_len,
        .value = e->removed ? NULL : value_of(e),
        .value_len = e->value_len,
        .millis = e->millis,
        .counter = e->counter,
        .node = e->node,
        .op = e->op,
        .told = e->told,
    };
}

int wm_record_store_merge(wm_record_store *s, uint32_t hash, const wm_record *r,
                          bool (*newer)(void *user, const wm_record *stored), void *user)
{
    if (!make_space(s)) return WM_ENOMEM;
    slot *at = find(s, hash, r->key, r->key_len);
    if (at->entry != NULL) {
        wm_record stored;
        read_entry(at->entry, &stored);
        if (!newer(user, &stored)) return 1;
    }
    return store(s, at, hash, r);
}

bool wm_record_store_get(const wm_record_store *s, uint32_t hash, const char *key, size_t len, wm_record *out)
{
    slot *at = find(s, hash, key, len);
    if (at->entry == NULL) return false;
    read_entry(at->entry, out);
    return true;
}

void wm_record_store_tell(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint16_t told)
{
    slot *at = find(s, hash, key, len);
    if (at->entry != NULL) at->entry->told = told;
}

size_t wm_record_store_size(const wm_record_store *s)
{
    return s->live;
}

/* Positions of the old table are odd, those of the other one even: what moves from the
 * one to the other during a walk is met twice, and not missed. */
size_t wm_record_store_next(const wm_record_store *s, size_t position, wm_record *out)
{
    bool in_old = position % 2 == 1 || position == 0;
    for (size_t i = position / 2 + position % 2; in_old && s->old.slots != NULL && i <= s->old.mask; i++) {
        if (i < s->moved || s->old.slots[i].entry == NULL) continue;
        read_entry(s->old.slots[i].entry, out);
        return i * 2 + 1;
    }
    for (size_t i = in_old ? 0 : position / 2; i <= s->table.mask; i++) {
        if (s->table.slots[i].entry == NULL) continue;
        read_entry(s->table.slots[i].entry, out);
        return (i + 1) * 2;
    }
    return 0;
}

uint64_t wm_record_store_allocations(const wm_record_store *s)
{
    return s->allocations;
}
