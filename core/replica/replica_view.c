/* What a replica shows. */
#include <string.h>

#include "base/value_hash.h"
#include "replica/replica_state.h"

wm_replica_key wm_replica_key_of(const wm_replica *r, const char *key, size_t len)
{
    uint32_t own_hash = wm_hash_fnv1a(key, len);
    bool is_other = r->options.rules.hash == WM_HASH_XXH64;
    return (wm_replica_key){key, (uint32_t)len, is_other ? wm_hash_xxh64(key, len) : own_hash, own_hash};
}

/* -- the base -------------------------------------------------------------------------- */

static wm_timestamp time_of(const wm_replica *r, const wm_record *record)
{
    const char *writer = r->sources.names->all[record->node];
    return (wm_timestamp){record->millis, record->counter, writer, strlen(writer)};
}

static bool is_newer(const wm_replica *r, const wm_record *a, const wm_record *b)
{
    wm_timestamp of_a = time_of(r, a), of_b = time_of(r, b);
    return wm_timestamp_compare(&of_a, &of_b) > 0;
}

static int owner_of(const wm_replica *r, const wm_replica_key *k)
{
    const wm_owners *o = r->sources.owners;
    return o->count > 0 ? o->node_index[k->hash % o->count] : -1;
}

static wm_replica_node *node_at(const wm_replica *r, int node_index)
{
    return node_index >= 0 && (uint32_t)node_index < r->node_count ? r->nodes[node_index] : NULL;
}

static bool take_newer(const wm_replica *r, wm_holding *h, const wm_replica_key *k, bool is_found, wm_record *out)
{
    wm_record record;
    if (h == NULL || !wm_holding_get(h, k->hash, k->text, k->len, &record)) return false;
    if (is_found && !is_newer(r, &record, out)) return false;
    *out = record;
    return true;
}

bool wm_replica_held(const wm_replica *r, const wm_replica_key *k, wm_record *out, wm_replica_place *place)
{
    bool is_found = false;
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (r->nodes[i] == NULL || !take_newer(r, r->nodes[i]->holding, k, is_found, out)) continue;
        place->node_index = (int)i;
        is_found = true;
    }
    for (uint32_t i = 0; i < r->restored_count; i++) {
        if (!take_newer(r, r->restored[i].holding, k, is_found, out)) continue;
        place->node_index = -1;
        is_found = true;
    }
    return is_found;
}

static bool newest_lost(const wm_replica *r, const wm_replica_key *k, wm_record *out)
{
    bool is_found = false;
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i] != NULL) is_found |= take_newer(r, r->nodes[i]->gone, k, is_found, out);
    for (uint32_t i = 0; i < r->lost_count; i++) is_found |= take_newer(r, r->lost[i].holding, k, is_found, out);
    return is_found;
}

bool wm_replica_base(const wm_replica *r, const wm_replica_key *k, wm_record *out, wm_replica_place *place)
{
    wm_replica_node *owner = r->options.merges ? NULL : node_at(r, owner_of(r, k));
    if (owner != NULL && wm_holding_get(owner->holding, k->hash, k->text, k->len, out)) {
        place->node_index = owner->sync.node_index;
        return true;
    }
    if (wm_replica_held(r, k, out, place)) return true;
    return place->is_lost = newest_lost(r, k, out);
}

/* -- the overlay ----------------------------------------------------------------------- */

bool wm_replica_own(const wm_replica *r, const wm_replica_key *k, wm_record *out)
{
    return wm_record_store_get(r->sources.own, k->own_hash, k->text, k->len, out) && out->node == 0;
}

bool wm_replica_is_provisional(const wm_replica *r, const wm_record *own)
{
    return own->node == 0 && own->seen == 0 && !(own->marks & (WM_RECORD_OVER | WM_RECORD_COMPARED)) && !r->options.only_hears &&
           !r->sources.is_unsettled(r->sources.user, own);
}

bool wm_replica_is_any_known(const wm_replica *r)
{
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i] != NULL && r->nodes[i]->sync.equal_us > 0) return true;
    return false;
}

bool wm_replica_is_owner_known(const wm_replica *r, const wm_replica_key *k)
{
    int index = owner_of(r, k);
    if (index < 0) return wm_replica_is_any_known(r);
    const wm_replica_node *owner = node_at(r, index);
    return owner != NULL && owner->sync.equal_us > 0;
}

/* What another node than the owner acknowledged is a record of that node: the owner's record counts. */
static bool is_passed_over(const wm_replica *r, const wm_replica_key *k, const wm_record *own, const wm_replica_place *base)
{
    return own->seen > 0 && base->node_index >= 0 && base->node_index == owner_of(r, k) && !wm_replica_acked_by(own, base->node_index);
}

bool wm_replica_acked_by(const wm_record *own, int node_index)
{
    return own->acked_by == (uint16_t)(node_index + 1);
}

bool wm_replica_decides(const wm_replica *r, const wm_replica_key *k, const wm_record *own, int node_index)
{
    return own->seen > 0 && (wm_replica_acked_by(own, node_index) || owner_of(r, k) == node_index);
}

/* Whether a record of the key arrived after an own write of it was acknowledged. */
static bool is_heard_since(const wm_replica *r, const wm_replica_key *k, const wm_record *own)
{
    wm_record record;
    for (uint32_t i = 0; i < r->node_count; i++) {
        wm_holding *h = r->nodes[i] != NULL ? r->nodes[i]->holding : NULL;
        if (h != NULL && wm_holding_look(h, k->hash, k->text, k->len, &record) && record.seen > own->seen) return true;
    }
    return false;
}

/* Whether an own record is shown, not the base (NULL: there is none). */
static bool hides_base(const wm_replica *r, const wm_replica_key *k, const wm_record *own, const wm_record *base, const wm_replica_place *place)
{
    if (own->marks & WM_RECORD_OVER) return r->options.only_hears && !is_heard_since(r, k, own);
    if (r->options.merges && base != NULL) return is_newer(r, own, base);
    if (is_passed_over(r, k, own, place)) return false;
    if (own->seen > 0 || r->sources.is_unsettled(r->sources.user, own)) return true;
    if (base != NULL) return false; /* it was acknowledged before the map was followed */
    if (r->options.only_hears) return !is_heard_since(r, k, own);
    return !(own->marks & WM_RECORD_COMPARED) && !wm_replica_is_owner_known(r, k);
}

bool wm_replica_show(wm_replica *r, const wm_replica_key *k, wm_record *out, wm_replica_place *place)
{
    wm_record own;
    *place = (wm_replica_place){.node_index = -1};
    bool is_own = wm_replica_own(r, k, &own), has_base = wm_replica_base(r, k, out, place);
    if (!is_own || !hides_base(r, k, &own, has_base ? out : NULL, place)) return has_base;
    *place = (wm_replica_place){.node_index = -1, .is_own = true};
    *out = own;
    return true;
}

static bool has_same_value(const wm_record *a, const wm_record *b)
{
    uint64_t of_a, of_b;
    if (a->value == NULL || b->value == NULL) return a->value == b->value;
    return wm_value_hash(a->value, a->value_len, &of_a) && wm_value_hash(b->value, b->value_len, &of_b) && of_a == of_b;
}

bool wm_replica_stands(wm_replica *r, const wm_record *own)
{
    wm_replica_key k = wm_replica_key_of(r, own->key, own->key_len);
    wm_replica_place place;
    wm_record shown;
    return !wm_replica_show(r, &k, &shown, &place) || place.is_own || has_same_value(own, &shown);
}

bool wm_replica_get(wm_replica *r, const char *key, size_t len, wm_record *out, wm_replica_place *place)
{
    wm_replica_key k = wm_replica_key_of(r, key, len);
    wm_replica_place where;
    return wm_replica_show(r, &k, out, place != NULL ? place : &where);
}

/* -- all of it ------------------------------------------------------------------------- */

/* A position: the part it is in (own, each node, what is gone of each, what was restored, each of the lost), then the place
 * there. */
#define PART_SHIFT 40
#define PLACE_MASK ((UINT64_C(1) << PART_SHIFT) - 1)

static uint32_t parts(const wm_replica *r)
{
    return 1 + 2 * r->node_count + r->restored_count + r->lost_count;
}

static wm_holding *holding_of(const wm_replica *r, uint32_t part)
{
    uint32_t i = part - 1;
    if (i < r->node_count) return r->nodes[i] != NULL ? r->nodes[i]->holding : NULL;
    i -= r->node_count;
    if (i < r->node_count) return r->nodes[i] != NULL ? r->nodes[i]->gone : NULL;
    i -= r->node_count;
    if (i < r->restored_count) return r->restored[i].holding;
    return r->lost[i - r->restored_count].holding;
}

static size_t next_in(const wm_replica *r, uint32_t part, size_t place, wm_record *out)
{
    if (part == 0) return wm_record_store_next(r->sources.own, place, out);
    wm_holding *h = holding_of(r, part);
    return h != NULL ? wm_holding_next(h, place, out) : 0;
}

/* Whether this record of a part is the one that is shown of its key. */
static bool is_shown(wm_replica *r, const wm_record *record)
{
    wm_replica_key k = wm_replica_key_of(r, record->key, record->key_len);
    wm_replica_place place;
    wm_record shown;
    return wm_replica_show(r, &k, &shown, &place) && shown.key == record->key;
}

uint64_t wm_replica_next(wm_replica *r, uint64_t position, wm_record *out)
{
    uint32_t part = (uint32_t)(position >> PART_SHIFT);
    size_t place = position & PLACE_MASK;
    while (part < parts(r)) {
        place = next_in(r, part, place, out);
        if (place == 0) part++;
        else if (is_shown(r, out)) return (uint64_t)part << PART_SHIFT | place;
    }
    return 0;
}

/* -- how much of it ---------------------------------------------------------------------- */

bool wm_replica_counts(const wm_replica *r, const wm_replica_key *k)
{
    wm_replica_place place = {.node_index = -1};
    wm_record record;
    if (r->is_uncounted) return false;
    if (r->options.merges) return wm_replica_base(r, k, &record, &place) && record.value != NULL;
    for (uint32_t part = 1; part < parts(r); part++) {
        wm_holding *h = holding_of(r, part);
        if (h != NULL && wm_holding_get(h, k->hash, k->text, k->len, &record)) return true;
    }
    return false;
}

void wm_replica_recount(wm_replica *r, const wm_replica_key *k, bool did_count)
{
    bool counts = wm_replica_counts(r, k);
    r->base_count += counts && !did_count;
    r->base_count -= !counts && did_count;
}

void wm_replica_count_in(wm_replica *r, wm_holding *h)
{
    wm_record record;
    r->is_uncounted |= r->options.merges;
    if (r->base_count == 0 && !r->is_uncounted) { /* nothing is in it yet */
        r->base_count = wm_holding_count(h);
        return;
    }
    for (size_t at = wm_holding_next(h, 0, &record); !r->is_uncounted && at != 0; at = wm_holding_next(h, at, &record)) {
        wm_replica_key k = wm_replica_key_of(r, record.key, record.key_len);
        r->base_count += !wm_replica_counts(r, &k);
    }
}

/* Whether this record of a part is the one of its key that counts. */
static bool is_counted(const wm_replica *r, const wm_record *record)
{
    wm_replica_key k = wm_replica_key_of(r, record->key, record->key_len);
    wm_replica_place place = {.node_index = -1};
    wm_record base;
    if (r->options.merges && record->value == NULL) return false;
    return wm_replica_base(r, &k, &base, &place) && base.key == record->key;
}

static void count_base(wm_replica *r)
{
    wm_record record;
    r->is_uncounted = false;
    r->base_count = 0;
    for (uint32_t part = 1; part < parts(r); part++)
        for (size_t at = next_in(r, part, 0, &record); at != 0; at = next_in(r, part, at, &record)) r->base_count += is_counted(r, &record);
}

static bool are_owners_known(const wm_replica *r)
{
    const wm_owners *o = r->sources.owners;
    for (uint32_t p = 0; p < o->count; p++) {
        const wm_replica_node *owner = node_at(r, o->node_index[p]);
        if (owner == NULL || owner->sync.equal_us == 0) return false;
    }
    return o->count > 0;
}

/* Whether an own record cannot hide the base, as far as that is known without its key: see hides_base. */
static bool is_settled(const wm_replica *r, const wm_record *own, bool owners_known)
{
    if (own->node != 0) return true;
    if (r->options.only_hears) return false;
    if (own->marks & WM_RECORD_OVER) return true;
    bool is_compared = owners_known || own->marks & WM_RECORD_COMPARED;
    return is_compared && !r->options.merges && own->seen == 0 && !r->sources.is_unsettled(r->sources.user, own);
}

size_t wm_replica_size(wm_replica *r)
{
    wm_replica_place place;
    wm_record own, shown;
    if (r->is_uncounted) count_base(r);
    size_t count = r->base_count;
    bool owners_known = are_owners_known(r);
    for (size_t at = wm_record_store_next(r->sources.own, 0, &own); at != 0; at = wm_record_store_next(r->sources.own, at, &own)) {
        if (is_settled(r, &own, owners_known)) continue;
        wm_replica_key k = wm_replica_key_of(r, own.key, own.key_len);
        if (!wm_replica_show(r, &k, &shown, &place) || !place.is_own) continue;
        count += own.value != NULL;
        count -= wm_replica_counts(r, &k);
    }
    return count;
}

bool wm_replica_next_loss(wm_replica *r, int *node_index, uint64_t *first, uint64_t *end)
{
    for (uint32_t i = 0; i < r->lost_count; i++) {
        wm_lost *lost = &r->lost[i];
        if (lost->is_told || !lost->is_sifted) continue;
        lost->is_told = true;
        *node_index = lost->node_index;
        *first = (uint64_t)i << PART_SHIFT;
        *end = (uint64_t)(i + 1) << PART_SHIFT;
        return true;
    }
    return false;
}

uint64_t wm_replica_next_lost(wm_replica *r, uint64_t position, wm_record *out)
{
    uint32_t part = (uint32_t)(position >> PART_SHIFT);
    size_t place = position & PLACE_MASK;
    while (part < r->lost_count) {
        place = wm_holding_next(r->lost[part].holding, place, out);
        if (place > 0) return (uint64_t)part << PART_SHIFT | place;
        part++;
    }
    return 0;
}
