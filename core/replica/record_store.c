#include "replica/record_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* A key and its value in one block, the value at a fixed place behind the key,
 * so that an update of the same size allocates nothing. */
typedef struct entry {
    uint64_t millis;
    uint64_t counter;
    uint64_t seen;
    uint32_t node;
    uint32_t key_len;
    uint32_t value_len;
    uint32_t value_cap;
    uint32_t op;     /* the last one of ours; stays when another client's write comes */
    uint32_t op_seq; /* the last 32 bits of its seq */
    uint16_t acked_by;
    uint8_t marks;
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

/* A put that is not in the table yet: what it will look at is still on its way through the
 * caches. The block becomes the key's entry when it has none with enough room, so that what
 * was taken needs no more memory. */
typedef struct waiting {
    uint32_t hash;
    const slot *slots; /* the table in which the key is at `from` or behind; NULL: not known yet */
    size_t from;
    size_t room; /* bytes of key and value that the block has room for */
    entry *block;
} waiting;

/* With one write between asking for a place and for its record, and one more until that is
 * used, both are there. */
#define WAITING 2u
/* Larger records (bytes of key and value) do not wait. */
#define WAITING_BYTES 512u

/* Open addressing with linear probing; keys are never taken out (a removed key
 * is a tombstone), so probing needs no deleted marks. A table that grows moves into
 * the larger one a few slots with each write: all at once, it would stop a game
 * server's tick for as long as there are keys. */
struct wm_record_store {
    wm_oplog *log;
    table table;
    table old;    /* what is still moving */
    size_t moved; /* slots of `old` that are in `table`; their entries are not ours to read */
    size_t used;
    size_t most; /* used slots before the table grows: three quarters */
    size_t live;
    waiting queue[WAITING];
    size_t first; /* the oldest put that waits */
    size_t count; /* of those that wait */
};

#define FIRST_SLOTS 64u
/* Slots that one write moves: with two it would be through before the next growth. */
#define MOVED_PER_WRITE 8u

static void use_table(wm_record_store *s, slot *slots, size_t count)
{
    s->table = (table){slots, count - 1};
    s->most = count / 4 * 3;
}

wm_record_store *wm_record_store_new(wm_oplog *log)
{
    wm_record_store *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->log = log;
    use_table(s, calloc(FIRST_SLOTS, sizeof(slot)), FIRST_SLOTS);
    if (s->table.slots != NULL) return s;
    free(s);
    return NULL;
}

void wm_record_store_free(wm_record_store *s)
{
    if (s == NULL) return;
    for (size_t i = 0; i <= s->table.mask; i++) free(s->table.slots[i].entry);
    for (size_t i = s->moved; s->old.slots != NULL && i <= s->old.mask; i++) free(s->old.slots[i].entry);
    for (size_t i = 0; i < WAITING; i++) free(s->queue[i].block);
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

/* memcmp for keys, most of which have 4 to 16 bytes: two words that may overlap, and no
 * call. */
static inline bool is_same_key(const char *a, const char *b, size_t len)
{
    uint64_t x[2], y[2];
    if (len >= 8 && len <= 16) {
        memcpy(&x[0], a, 8);
        memcpy(&y[0], b, 8);
        memcpy(&x[1], a + len - 8, 8);
        memcpy(&y[1], b + len - 8, 8);
        return x[0] == y[0] && x[1] == y[1];
    }
    uint32_t v[2], w[2];
    if (len >= 4 && len < 8) {
        memcpy(&v[0], a, 4);
        memcpy(&w[0], b, 4);
        memcpy(&v[1], a + len - 4, 4);
        memcpy(&w[1], b + len - 4, 4);
        return v[0] == w[0] && v[1] == w[1];
    }
    return memcmp(a, b, len) == 0;
}

/* The key's slot, or the empty one where it belongs, from slot `i` on. The entries of the
 * first `moved` slots have gone elsewhere: they are passed by unread. */
static slot *find_in(const table *t, size_t i, size_t moved, uint32_t hash, const char *key, size_t len)
{
    for (;; i = (i + 1) & t->mask) {
        slot *at = &t->slots[i];
        if (at->entry == NULL) return at;
        if (i < moved || at->hash != hash) continue;
        if (at->entry->key_len == len && is_same_key(at->entry->key, key, len)) return at;
    }
}

static slot *find_from(const wm_record_store *s, size_t i, uint32_t hash, const char *key, size_t len)
{
    slot *at = find_in(&s->table, i, 0, hash, key, len);
    if (at->entry != NULL || s->old.slots == NULL) return at;
    slot *old = find_in(&s->old, home(&s->old, hash), s->moved, hash, key, len);
    return old->entry != NULL ? old : at;
}

static slot *find(const wm_record_store *s, uint32_t hash, const char *key, size_t len)
{
    return find_from(s, home(&s->table, hash), hash, key, len);
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
    s->old = s->table;
    s->moved = 0;
    use_table(s, fresh, count);
    return true;
}

static uint8_t *value_of(entry *e)
{
    return (uint8_t *)e->key + e->key_len;
}

/* Room for a value that has outgrown the one before: half more, as it may grow again. */
static uint32_t larger(uint32_t value_len)
{
    return value_len + value_len / 2;
}

/* An entry of the slot with room for the value. */
static entry *make_entry(wm_record_store *s, slot *at, const wm_record *r)
{
    entry *e = at->entry;
    if (e != NULL && e->value_cap >= r->value_len) return e;
    uint32_t cap = e == NULL ? r->value_len : larger(r->value_len);
    entry *made = realloc(e, sizeof *made + r->key_len + cap);
    if (made == NULL) return NULL;
    if (e == NULL) {
        made->key_len = r->key_len;
        made->op = WM_NO_OP;
        made->removed = true; /* not live until it is filled */
        memcpy(made->key, r->key, r->key_len);
        s->used++;
    }
    made->value_cap = cap;
    at->entry = made;
    return made;
}

/* An operation of ours writes over a record. */
static void follow(const wm_record_store *s, const entry *e, uint32_t op, uint32_t op_seq)
{
    if (e->op == WM_NO_OP || e->op == op || !wm_oplog_reaches_back(s->log, e->op_seq)) return;
    wm_oplog_follow(s->log, e->op, e->op_seq, op, op_seq);
}

static void set_op(const wm_record_store *s, entry *e, uint32_t op)
{
    uint32_t seq = (uint32_t)wm_oplog_at(s->log, op)->seq;
    follow(s, e, op, seq);
    e->op = op;
    e->op_seq = seq;
}

static void fill(entry *e, const wm_record *r)
{
    e->removed = r->value == NULL;
    e->millis = r->millis;
    e->counter = r->counter;
    e->node = r->node;
    e->acked_by = r->acked_by;
    e->marks = r->marks;
    e->seen = r->seen;
    e->value_len = e->removed ? 0 : r->value_len;
    if (!e->removed) memcpy(value_of(e), r->value, r->value_len);
}

static void count_live(wm_record_store *s, bool was_removed, bool is_removed)
{
    if (was_removed && !is_removed) s->live++;
    if (!was_removed && is_removed) s->live--;
}

static int store(wm_record_store *s, slot *at, uint32_t hash, const wm_record *r)
{
    entry *e = make_entry(s, at, r);
    if (e == NULL) return WM_ENOMEM;
    count_live(s, e->removed, r->value == NULL);
    at->hash = hash;
    fill(e, r);
    if (r->op != WM_NO_OP) set_op(s, e, r->op);
    return WM_OK;
}

/* -- puts that wait -------------------------------------------------------------------- */

/* The block of a put becomes its key's entry, in place of the one that is too small. */
static void install(wm_record_store *s, waiting *w, slot *at)
{
    entry *e = w->block;
    bool is_new = at->entry == NULL;
    uint32_t cap = is_new ? e->value_len : larger(e->value_len);
    entry *fitted = realloc(e, sizeof *e + e->key_len + cap);
    if (fitted != NULL) e = fitted;
    else cap = (uint32_t)w->room - e->key_len;
    e->value_cap = cap;
    if (is_new) s->used++;
    count_live(s, is_new || at->entry->removed, e->removed);
    free(at->entry);
    *at = (slot){w->hash, e};
    w->block = NULL;
}

/* Puts the oldest one that waits into the table. */
static void put_oldest(wm_record_store *s)
{
    waiting *w = &s->queue[s->first];
    const entry *from = w->block;
    s->first = (s->first + 1) % WAITING;
    s->count--;
    size_t i = w->slots == s->table.slots ? w->from : home(&s->table, w->hash);
    slot *at = find_from(s, i, w->hash, from->key, from->key_len);
    entry *e = at->entry;
    if (e != NULL) follow(s, e, from->op, from->op_seq);
    if (e == NULL || e->value_cap < from->value_len) {
        install(s, w, at);
        return;
    }
    uint32_t cap = e->value_cap;
    count_live(s, e->removed, from->removed);
    memcpy(e, from, sizeof *e + from->key_len + from->value_len);
    e->value_cap = cap;
}

void wm_record_store_catch_up(wm_record_store *s)
{
    while (s->count > 0) put_oldest(s);
}

static bool make_space(wm_record_store *s)
{
    if (s->old.slots != NULL) move_some(s, MOVED_PER_WRITE);
    return s->used + s->count < s->most || grow(s);
}

static bool make_block(wm_record_store *s, waiting *w, size_t room)
{
    if (w->block != NULL && w->room >= room) return true;
    entry *block = realloc(w->block, sizeof *block + room);
    if (block == NULL) return false;
    w->block = block;
    w->room = room;
    return true;
}

/* Asks for the record of the newest put that waits, whose place is there by now. Slots are
 * only ever filled, so the key cannot come to be before the one that is found here. */
static void bring_record_near(wm_record_store *s)
{
    if (s->count == 0) return;
    waiting *newest = &s->queue[(s->first + s->count - 1) % WAITING];
    const table *t = &s->table;
    size_t i = home(t, newest->hash);
    while (t->slots[i].entry != NULL && t->slots[i].hash != newest->hash) i = (i + 1) & t->mask;
    newest->slots = t->slots;
    newest->from = i;
    const entry *e = t->slots[i].entry;
    if (e == NULL) return;
    __builtin_prefetch(e, 1);
    __builtin_prefetch((const char *)e + 64, 1);
}

int wm_record_store_put_soon(wm_record_store *s, uint32_t hash, const wm_record *r)
{
    size_t room = (size_t)r->key_len + r->value_len;
    if (room > WAITING_BYTES) return wm_record_store_put(s, hash, r);
    if (!make_space(s)) return WM_ENOMEM;
    if (s->count == WAITING) put_oldest(s);
    waiting *w = &s->queue[(s->first + s->count) % WAITING];
    if (!make_block(s, w, room)) return WM_ENOMEM;
    bring_record_near(s);
    w->hash = hash;
    w->slots = NULL;
    w->block->key_len = r->key_len;
    memcpy(w->block->key, r->key, r->key_len);
    fill(w->block, r);
    w->block->op = r->op;
    w->block->op_seq = (uint32_t)wm_oplog_at(s->log, r->op)->seq;
    s->count++;
    return WM_OK;
}

void wm_record_store_expect_place(const wm_record_store *s, uint32_t hash)
{
    __builtin_prefetch(&s->table.slots[home(&s->table, hash)]);
}

int wm_record_store_put(wm_record_store *s, uint32_t hash, const wm_record *r)
{
    wm_record_store_catch_up(s);
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
        .acked_by = e->acked_by,
        .marks = e->marks,
        .seen = e->seen,
    };
}

int wm_record_store_merge(wm_record_store *s, uint32_t hash, const wm_record *r,
                          bool (*newer)(void *user, const wm_record *stored), void *user)
{
    wm_record_store_catch_up(s);
    if (!make_space(s)) return WM_ENOMEM;
    slot *at = find(s, hash, r->key, r->key_len);
    if (at->entry != NULL) {
        wm_record stored;
        read_entry(at->entry, &stored);
        if (!newer(user, &stored)) return 1;
    }
    return store(s, at, hash, r);
}

bool wm_record_store_get(wm_record_store *s, uint32_t hash, const char *key, size_t len, wm_record *out)
{
    wm_record_store_catch_up(s);
    slot *at = find(s, hash, key, len);
    if (at->entry == NULL) return false;
    read_entry(at->entry, out);
    return true;
}

void wm_record_store_written(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint32_t op)
{
    wm_record_store_catch_up(s);
    slot *at = find(s, hash, key, len);
    if (at->entry != NULL) set_op(s, at->entry, op);
}

void wm_record_store_rewind(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint32_t op, uint32_t before)
{
    wm_record_store_catch_up(s);
    entry *e = find(s, hash, key, len)->entry;
    if (e == NULL || e->op != op) return;
    e->op = before;
    e->op_seq = (uint32_t)wm_oplog_at(s->log, before)->seq;
}

void wm_record_store_set_acked_by(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint16_t acked_by)
{
    wm_record_store_catch_up(s);
    slot *at = find(s, hash, key, len);
    if (at->entry != NULL) at->entry->acked_by = acked_by;
}

void wm_record_store_mark(wm_record_store *s, uint32_t hash, const char *key, size_t len, uint8_t marks, uint64_t seen)
{
    wm_record_store_catch_up(s);
    entry *e = find(s, hash, key, len)->entry;
    if (e == NULL) return;
    e->marks = marks;
    e->seen = seen;
}

/* In one table: how many of the hash there are is subtracted from *nth. */
static entry *nth_of_hash(const table *t, size_t moved, uint32_t hash, uint32_t *nth)
{
    for (size_t i = home(t, hash); t->slots[i].entry != NULL; i = (i + 1) & t->mask) {
        if (i < moved || t->slots[i].hash != hash) continue;
        if (*nth == 0) return t->slots[i].entry;
        --*nth;
    }
    return NULL;
}

bool wm_record_store_of_hash(wm_record_store *s, uint32_t hash, uint32_t nth, wm_record *out)
{
    wm_record_store_catch_up(s);
    entry *e = nth_of_hash(&s->table, 0, hash, &nth);
    if (e == NULL && s->old.slots != NULL) e = nth_of_hash(&s->old, s->moved, hash, &nth);
    if (e != NULL) read_entry(e, out);
    return e != NULL;
}

size_t wm_record_store_size(wm_record_store *s)
{
    wm_record_store_catch_up(s);
    return s->live;
}

/* Positions of the old table are odd, those of the other one even: what moves from the
 * one to the other during a walk is met twice, and not missed. */
size_t wm_record_store_next(wm_record_store *s, size_t position, wm_record *out)
{
    wm_record_store_catch_up(s);
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
