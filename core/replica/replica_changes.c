/* The keys of a replica whose value has changed. */
#include <stdlib.h>

#include "base/value_hash.h"
#include "replica/replica_state.h"

const char *wm_change_origin_name(wm_change_origin origin)
{
    static const char *const names[] = {
#define X(name, text) text,
        WM_CHANGE_ORIGINS(X)
#undef X
    };
    return names[origin];
}

wm_replica_sight wm_replica_look(wm_replica *r, const wm_replica_key *k)
{
    wm_replica_sight sight = {0};
    wm_replica_place place;
    wm_record record;
    if (!r->is_watched || !wm_replica_show(r, k, &record, &place) || record.value == NULL) return sight;
    sight.has_value = wm_value_hash(record.value, record.value_len, &sight.hash);
    return sight;
}

/* -- the marks --------------------------------------------------------------------------- */

/* The marks of a key that is in the list, in one of the holdings that know the key; 0: it is not. *known: one of
 * those holdings. */
static uint8_t marks_of(const wm_replica *r, const wm_replica_key *k, wm_holding **known)
{
    wm_record record;
    for (uint32_t i = 0; i < r->node_count; i++) {
        wm_holding *h = r->nodes[i] != NULL ? r->nodes[i]->holding : NULL;
        if (h == NULL || !wm_holding_look(h, k->hash, k->text, k->len, &record)) continue;
        *known = h;
        if (record.marks & WM_RECORD_CHANGED) return record.marks & (WM_RECORD_CHANGED | WM_RECORD_FIRST);
    }
    return 0;
}

static void set_marks(wm_holding *h, const wm_replica_key *k, uint8_t marks)
{
    wm_record record;
    if (!wm_holding_look(h, k->hash, k->text, k->len, &record)) return;
    uint8_t others = record.marks & (uint8_t) ~(WM_RECORD_CHANGED | WM_RECORD_FIRST);
    wm_holding_mark(h, k->hash, k->text, k->len, others | marks, record.seen);
}

/* What is in the list as part of the snapshot, and has changed since, is added once more: who does not want
 * the snapshot wants that. */
static void add(wm_replica *r, const wm_replica_key *k, wm_change_origin origin)
{
    wm_holding *known = NULL;
    uint8_t marks = marks_of(r, k, &known);
    bool is_first = origin == WM_CHANGE_SNAPSHOT;
    if (marks != 0 && (is_first || !(marks & WM_RECORD_FIRST))) return;
    if (!wm_key_queue_push(&r->changes, k->text, k->len, origin)) r->figures.no_memory++;
    else if (known != NULL) set_marks(known, k, is_first ? WM_RECORD_CHANGED | WM_RECORD_FIRST : WM_RECORD_CHANGED);
}

void wm_replica_tell(wm_replica *r, const wm_replica_key *k, const wm_replica_sight *before, wm_change_origin origin)
{
    if (!r->is_watched) return;
    wm_replica_sight after = wm_replica_look(r, k);
    bool is_other = after.has_value != before->has_value || after.hash != before->hash;
    /* `before` is what was shown since the owners changed; what was told may be what was shown before that. */
    if (is_other || (r->is_moving && before->has_value)) add(r, k, origin);
}

/* True when what the nodes hold of a provisional record's key counts, for good. */
static bool end_provisional(wm_replica *r, const wm_replica_key *k, const wm_record *own)
{
    if (!wm_replica_is_provisional(r, own) || !wm_replica_is_owner_known(r, k)) return false;
    wm_record_store_mark(r->sources.own, k->own_hash, k->text, k->len, own->marks | WM_RECORD_COMPARED, own->seen);
    return true;
}

wm_replica_sight wm_replica_before_own(wm_replica *r, const char *key, size_t len)
{
    wm_replica_key k = wm_replica_key_of(r, key, len);
    return wm_replica_look(r, &k);
}

void wm_replica_after_own(wm_replica *r, const char *key, size_t len, const wm_replica_sight *before)
{
    wm_replica_key k = wm_replica_key_of(r, key, len);
    wm_record own;
    if (wm_replica_own(r, &k, &own)) end_provisional(r, &k, &own);
    wm_replica_tell(r, &k, before, WM_CHANGE_REPAIR);
}

/* -- taking them ------------------------------------------------------------------------- */

void wm_replica_watch(wm_replica *r)
{
    r->is_watched = true;
}

size_t wm_replica_changes(const wm_replica *r)
{
    return r->changes.count;
}

size_t wm_replica_behind(const wm_replica *r)
{
    size_t behind = r->changes.count + r->is_moving + (r->is_watched && r->is_own_due);
    for (uint32_t i = 0; i < r->dismissed_count; i++) behind += wm_holding_count(r->dismissed[i].holding);
    for (uint32_t i = 0; i < r->lost_count; i++) behind += r->lost[i].is_sifted ? 0 : wm_holding_count(r->lost[i].holding) + 1;
    return behind;
}

/* Whether the key is in the list once more, with another origin. */
static bool is_outdated(const wm_replica *r, const wm_replica_key *k, wm_change_origin origin)
{
    wm_holding *known;
    uint8_t marks = marks_of(r, k, &known);
    return origin == WM_CHANGE_SNAPSHOT && marks != 0 && !(marks & WM_RECORD_FIRST);
}

void wm_replica_wrote(wm_replica *r, const char *key, size_t len)
{
    if (!wm_key_queue_push(&r->changes, key, len, WM_CHANGE_LOCAL)) r->figures.no_memory++;
}

/* Takes an own write; false when it was taken before, or is not what is shown. */
static bool take_local(wm_replica *r, const wm_replica_key *k, wm_record *out)
{
    if (!wm_replica_own(r, k, out) || out->marks & WM_RECORD_TOLD || !wm_replica_stands(r, out)) return false;
    wm_record_store_mark(r->sources.own, k->own_hash, k->text, k->len, out->marks | WM_RECORD_TOLD, out->seen);
    return true;
}

bool wm_replica_next_change(wm_replica *r, wm_record *out, wm_change_origin *origin)
{
    wm_queued_key queued;
    wm_replica_place place;
    wm_replica_key k;
    do {
        if (!wm_key_queue_first(&r->changes, &queued)) return false;
        wm_key_queue_pop(&r->changes);
        k = wm_replica_key_of(r, queued.key, queued.key_len);
        *origin = (wm_change_origin)queued.note;
        if (*origin == WM_CHANGE_LOCAL && take_local(r, &k, out)) return true;
    } while (*origin == WM_CHANGE_LOCAL || is_outdated(r, &k, *origin));
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i] != NULL) set_marks(r->nodes[i]->holding, &k, 0);
    if (!wm_replica_show(r, &k, out, &place)) *out = (wm_record){.key = k.text, .key_len = k.len};
    return true;
}

/* -- keys that are reported in parts -------------------------------------------------------- */

void wm_replica_dismiss(wm_replica *r, wm_holding *h, wm_change_origin origin)
{
    r->is_uncounted |= wm_holding_count(h) > 0;
    wm_dismissed *grown = r->is_watched ? realloc(r->dismissed, (r->dismissed_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) { /* nobody wants a report, or there is no memory for it */
        r->figures.no_memory += r->is_watched;
        wm_holding_free(h);
        return;
    }
    r->dismissed = grown;
    r->dismissed[r->dismissed_count++] = (wm_dismissed){h, 0, origin};
}

static void tell_dismissed(wm_replica *r, uint32_t *most)
{
    wm_record record;
    while (r->dismissed_count > 0 && *most > 0) {
        wm_dismissed *d = &r->dismissed[r->dismissed_count - 1];
        d->position = wm_holding_next(d->holding, d->position, &record);
        if (d->position == 0) {
            wm_holding_free(d->holding);
            r->dismissed_count--;
            continue;
        }
        wm_replica_key k = wm_replica_key_of(r, record.key, record.key_len);
        add(r, &k, d->origin);
        --*most;
    }
}

/* The key is shown from another place: reported where it was not compared with what was shown before. */
static void find_lost(wm_replica *r, wm_lost *lost, const wm_replica_key *k)
{
    wm_holding_drop(lost->holding, k->hash, k->text, k->len, 0);
    if (!lost->is_sifted && r->is_watched) add(r, k, WM_CHANGE_REPAIR);
}

void wm_replica_found(wm_replica *r, const wm_replica_key *k)
{
    wm_record record;
    for (uint32_t i = 0; i < r->node_count; i++) {
        wm_holding *gone = r->nodes[i] != NULL ? r->nodes[i]->gone : NULL;
        if (gone != NULL && wm_holding_get(gone, k->hash, k->text, k->len, &record)) wm_holding_drop(gone, k->hash, k->text, k->len, 0);
    }
    for (uint32_t i = 0; i < r->lost_count; i++)
        if (wm_holding_get(r->lost[i].holding, k->hash, k->text, k->len, &record)) find_lost(r, &r->lost[i], k);
}

/* What another node holds is not lost. */
static void sift_lost(wm_replica *r, wm_lost *lost, uint32_t *most)
{
    wm_record record, held;
    wm_replica_place place;
    while (!lost->is_sifted && *most > 0) {
        lost->position = wm_holding_next(lost->holding, lost->position, &record);
        lost->is_sifted = lost->position == 0;
        r->turns += lost->is_sifted;
        if (lost->is_sifted) return;
        wm_replica_key k = wm_replica_key_of(r, record.key, record.key_len);
        if (wm_replica_held(r, &k, &held, &place)) find_lost(r, lost, &k);
        --*most;
    }
}

void wm_replica_look_at_own(wm_replica *r, wm_change_origin origin)
{
    if (r->options.only_hears) return;
    r->is_own_again |= r->is_own_due && origin == WM_CHANGE_REPAIR && wm_replica_is_any_known(r);
    if (!r->is_own_due || origin == WM_CHANGE_REPAIR) r->own_origin = origin;
    r->is_own_due = true;
    r->own_position = 0;
}

/* Who was told of the record is told that it is shown no more, as its owner was compared. If the owners change before that, it
 * is shown again, and a reader may have seen that it was not. */
static void tell_provisional(wm_replica *r, const wm_replica_key *k, const wm_record *own)
{
    wm_replica_sight before = {.has_value = own->value != NULL};
    if (before.has_value) wm_value_hash(own->value, own->value_len, &before.hash);
    if (!end_provisional(r, k, own) && r->is_own_again && r->is_watched) add(r, k, r->own_origin);
    else wm_replica_tell(r, k, &before, r->own_origin);
}

/* Own records that were acknowledged before the map was followed, or never: where their owners were compared, the base is shown
 * now, and from now on. */
static void tell_own(wm_replica *r, uint32_t *most)
{
    wm_record record;
    while (r->is_own_due && *most > 0) {
        r->own_position = wm_record_store_next(r->sources.own, r->own_position, &record);
        r->is_own_due = r->own_position > 0;
        r->is_own_again &= r->is_own_due;
        --*most;
        if (!r->is_own_due || !wm_replica_is_provisional(r, &record)) continue;
        wm_replica_key k = wm_replica_key_of(r, record.key, record.key_len);
        tell_provisional(r, &k, &record);
    }
}

void wm_replica_owners_changed(wm_replica *r)
{
    r->is_moving = r->is_watched && !r->options.merges;
    r->moved_node = 0;
    r->moved_position = 0;
    wm_replica_look_at_own(r, WM_CHANGE_REPAIR);
}

/* Whether the nodes that hold the key hold different records, or an own one was acknowledged and not seen back: it makes way
 * for the record of another owner. */
static bool is_contested(const wm_replica *r, const wm_replica_key *k)
{
    wm_record first = {0}, record;
    uint32_t holders = 0;
    if (wm_replica_own(r, k, &record) && record.seen > 0 && !(record.marks & WM_RECORD_OVER)) return true;
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (r->nodes[i] == NULL || !wm_holding_get(r->nodes[i]->holding, k->hash, k->text, k->len, &record)) continue;
        if (holders++ == 0) first = record;
        else if (record.millis != first.millis || record.counter != first.counter || record.node != first.node) return true;
    }
    return false;
}

/* After the owners changed: of a key of which several records are known, another one may be shown now. */
static void tell_moved(wm_replica *r, uint32_t *most)
{
    wm_record record;
    while (r->is_moving && *most > 0) {
        wm_replica_node *n = r->moved_node < r->node_count ? r->nodes[r->moved_node] : NULL;
        r->moved_position = n != NULL ? wm_holding_next(n->holding, r->moved_position, &record) : 0;
        if (r->moved_position == 0) r->is_moving = ++r->moved_node < r->node_count;
        if (r->moved_position == 0) continue;
        wm_replica_key k = wm_replica_key_of(r, record.key, record.key_len);
        if (is_contested(r, &k)) add(r, &k, WM_CHANGE_REPAIR);
        --*most;
    }
}

void wm_replica_work(wm_replica *r, uint32_t *most)
{
    tell_dismissed(r, most);
    wm_replica_resume(r);
    for (uint32_t i = 0; i < r->lost_count; i++) sift_lost(r, &r->lost[i], most);
    tell_own(r, most);
    tell_moved(r, most);
}
