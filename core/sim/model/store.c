#include "sim/model/store.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/merkle_sums.h"
#include "sim/wire/alloc.h"

#define FIRST_SLOTS 64
#define GOLDEN 0x9e3779b1u /* spreads the low bits that partitions leave alike */

/* -- maps -- */

static void map_free(sim_map *m)
{
    for (sim_record *r = m->first; r != NULL;) {
        sim_record *next = r->next;
        free(r->value);
        free(r);
        r = next;
    }
    sim_merkle_close(&m->merkle);
    sim_partition_trees_close(&m->by_partition);
    free(m->slots);
    free(m);
}

void sim_store_close(sim_store *s)
{
    while (s->maps != NULL) {
        sim_map *next = s->maps->next;
        map_free(s->maps);
        s->maps = next;
    }
    memset(s->buckets, 0, sizeof s->buckets);
}

void sim_store_forget(sim_store *s, bool (*is_forgotten)(const sim_name *name))
{
    sim_map **at = &s->maps;
    while (*at != NULL) {
        sim_map *m = *at, **in_bucket = &s->buckets[m->name->hash % SIM_STORE_BUCKETS];
        if (!is_forgotten(m->name)) {
            at = &m->next;
            continue;
        }
        while (*in_bucket != m) in_bucket = &(*in_bucket)->next_in_bucket;
        *in_bucket = m->next_in_bucket;
        *at = m->next;
        map_free(m);
    }
}

sim_map *sim_store_find_map(sim_store *s, const sim_name *name)
{
    sim_map *m = s->buckets[name->hash % SIM_STORE_BUCKETS];
    while (m != NULL && m->name != name) m = m->next_in_bucket;
    return m;
}

sim_map *sim_store_map(sim_store *s, const sim_name *name, sim_map_kind kind)
{
    sim_map *m = sim_store_find_map(s, name);
    if (m != NULL) return m;
    sim_map **bucket = &s->buckets[name->hash % SIM_STORE_BUCKETS];
    m = sim_alloc(sizeof *m);
    m->name = name;
    m->kind = kind;
    m->by_partition.count = s->tree_count;
    m->next = s->maps;
    m->next_in_bucket = *bucket;
    return s->maps = *bucket = m;
}

/* -- the table of a map -- */

static uint32_t home(const sim_map *m, uint32_t key_hash)
{
    return (key_hash * GOLDEN) & (m->slot_count - 1);
}

static void table_insert(sim_map *m, sim_record *r)
{
    uint32_t i = home(m, r->item.key_hash);
    while (m->slots[i] != NULL) i = (i + 1) & (m->slot_count - 1);
    m->slots[i] = r;
}

static void table_grow(sim_map *m)
{
    free(m->slots);
    m->slot_count = m->slot_count ? m->slot_count * 2 : FIRST_SLOTS;
    m->slots = sim_alloc(m->slot_count * sizeof *m->slots);
    for (sim_record *r = m->first; r != NULL; r = r->next) table_insert(m, r);
}

/* Closes the gap by moving back every later entry that may stand there. */
static void table_remove(sim_map *m, const sim_record *r)
{
    uint32_t mask = m->slot_count - 1, gap = home(m, r->item.key_hash);
    while (m->slots[gap] != r) gap = (gap + 1) & mask;
    for (uint32_t i = (gap + 1) & mask; m->slots[i] != NULL; i = (i + 1) & mask) {
        uint32_t wants = home(m, m->slots[i]->item.key_hash);
        if (((i - wants) & mask) < ((i - gap) & mask)) continue;
        m->slots[gap] = m->slots[i];
        gap = i;
    }
    m->slots[gap] = NULL;
}

sim_record *sim_map_find(const sim_map *m, uint32_t key_hash, const char *key, size_t len)
{
    if (m->slot_count == 0) return NULL;
    for (uint32_t i = home(m, key_hash);; i = (i + 1) & (m->slot_count - 1)) {
        sim_record *r = m->slots[i];
        if (r == NULL) return NULL;
        if (r->item.key_hash == key_hash && r->key_len == len && memcmp(r->key, key, len) == 0) return r;
    }
}

/* -- records -- */

bool sim_value_is_nil(const uint8_t *value, size_t len)
{
    return len == 1 && value[0] == 0xc0;
}

bool sim_record_present(const sim_record *r, uint64_t wall_ms)
{
    if (sim_value_is_nil(r->value, r->value_len)) return false;
    return r->ttl_ms <= 0 || (double)r->millis + r->ttl_ms >= (double)wall_ms;
}

bool sim_record_loses(const sim_record *r, uint64_t millis, uint64_t counter, const sim_name *node)
{
    if (r == NULL) return true;
    wm_timestamp held = {r->millis, r->counter, r->node->text, r->node->len};
    wm_timestamp offered = {millis, counter, node->text, node->len};
    return wm_timestamp_compare(&offered, &held) > 0;
}

static uint32_t item_hash(const sim_store *s, const sim_write *w)
{
    wm_timestamp stamp = {w->millis, w->counter, w->node->text, w->node->len};
    return wm_merkle_item(s->hash, w->key_hash, w->key, w->key_len, &stamp);
}

static void set_content(sim_record *r, const sim_write *w)
{
    if (w->value_len > r->value_cap) {
        r->value = sim_realloc(r->value, w->value_len);
        r->value_cap = (uint32_t)w->value_len;
    }
    memcpy(r->value, w->value, w->value_len);
    r->value_len = (uint32_t)w->value_len;
    r->millis = w->millis;
    r->counter = w->counter;
    r->node = w->node;
    r->ttl_ms = w->ttl_ms;
}

static sim_record *add(sim_map *m, const sim_write *w, uint32_t hash)
{
    sim_record *r = sim_alloc(sizeof *r + w->key_len + 1);
    memcpy(r->key, w->key, w->key_len);
    r->key_len = (uint32_t)w->key_len;
    r->item.key_hash = w->key_hash;
    r->item.item_hash = hash;
    set_content(r, w);
    r->prev = m->last;
    if (m->last != NULL) m->last->next = r;
    else m->first = r;
    m->last = r;
    if (++m->count * 2 > m->slot_count) table_grow(m);
    else table_insert(m, r);
    sim_merkle_add(&m->merkle, &r->item);
    sim_partition_trees_add(&m->by_partition, &r->item);
    return r;
}

sim_record *sim_map_put(sim_store *s, sim_map *m, sim_record *r, const sim_write *w)
{
    uint32_t hash = item_hash(s, w);
    if (!sim_value_is_nil(w->value, w->value_len)) m->live++;
    if (r == NULL) return add(m, w, hash);
    if (!sim_value_is_nil(r->value, r->value_len)) m->live--;
    set_content(r, w);
    sim_merkle_change(&m->merkle, &r->item, hash);
    return r;
}

void sim_map_remove(sim_map *m, sim_record *r)
{
    if (!sim_value_is_nil(r->value, r->value_len)) m->live--;
    table_remove(m, r);
    m->count--;
    if (r->prev != NULL) r->prev->next = r->next;
    else m->first = r->next;
    if (r->next != NULL) r->next->prev = r->prev;
    else m->last = r->prev;
    sim_merkle_remove(&m->merkle, &r->item);
    sim_partition_trees_remove(&m->by_partition, &r->item);
    free(r->value);
    free(r);
}

static void prune(sim_map *m, const wm_timestamp *older_than)
{
    for (sim_record *r = m->first, *next; r != NULL; r = next) {
        next = r->next;
        wm_timestamp held = {r->millis, r->counter, r->node->text, r->node->len};
        bool is_tombstone = sim_value_is_nil(r->value, r->value_len);
        if (is_tombstone && wm_timestamp_compare(&held, older_than) < 0) sim_map_remove(m, r);
    }
}

void sim_store_prune(sim_store *s, const wm_timestamp *older_than)
{
    for (sim_map *m = s->maps; m != NULL; m = m->next) prune(m, older_than);
}
