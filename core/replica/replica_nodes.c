/* A replica: its nodes, and what they report. What it shows is in replica_view.c, the keys that changed in
 * replica_changes.c. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/value_hash.h"
#include "replica/replica_state.h"

/* Records at least of which more than half are gone, and none is left, before that is taken for a loss. */
#define LOSS_MIN 16u

/* -- records ------------------------------------------------------------------------- */

static bool is_later(wm_hlc a, wm_hlc b)
{
    return a.millis > b.millis || (a.millis == b.millis && a.counter > b.counter);
}

static void note_time(wm_hlc *latest, const wm_record *record)
{
    wm_hlc time = {record->millis, record->counter};
    if (is_later(time, *latest)) *latest = time;
}

/* WM_OK, WM_EINVAL for what no server may say, or WM_ENOMEM. */
static int read_record(wm_replica *r, wm_replica_node *n, const wm_map_event *e, wm_record *out)
{
    const wm_timestamp *time = &e->time;
    if (!wm_timestamp_is_possible(time) || e->key_len > UINT16_MAX) return WM_EINVAL;
    *out = (wm_record){
        .key = e->key,
        .key_len = (uint32_t)e->key_len,
        .value = e->value,
        .value_len = e->value == NULL ? 0 : (uint32_t)e->value_len,
        .millis = time->millis,
        .counter = time->counter,
        .seen = ++r->seen,
    };
    note_time(&r->latest, out);
    note_time(&n->latest, out);
    return wm_node_names_intern(r->sources.names, time->node, time->node_len, &out->node) ? WM_OK : WM_ENOMEM;
}

static wm_replica_node *node_of(wm_replica *r, int node_index)
{
    return node_index >= 0 && (uint32_t)node_index < r->node_count ? r->nodes[node_index] : NULL;
}

static wm_replica_node *owner_of_sync(wm_sync *s)
{
    return (wm_replica_node *)((char *)s - offsetof(wm_replica_node, sync));
}

static wm_holding *new_holding(const wm_replica *r, wm_merkle_rule rule)
{
    wm_holding_rules rules = r->options.rules;
    rules.sums = rule;
    wm_holding *h = wm_holding_new(rules, r->sources.names);
    if (h != NULL) wm_holding_count_in(h, r->options.space);
    if (h != NULL && r->is_tracked) wm_holding_track(h, false);
    return h;
}

static bool make_space(wm_replica *r, uint32_t count)
{
    if (count <= r->node_count) return true;
    wm_replica_node **grown = realloc(r->nodes, count * sizeof *grown);
    if (grown == NULL) return false;
    r->nodes = grown;
    while (r->node_count < count) r->nodes[r->node_count++] = NULL;
    return true;
}

static wm_replica_node *add_node(wm_replica *r, int node_index, wm_merkle_rule rule)
{
    wm_replica_node *n = calloc(1, sizeof *n);
    if (n == NULL) return NULL;
    n->rule = rule;
    n->holding = new_holding(r, rule);
    if (n->holding == NULL) {
        free(n);
        return NULL;
    }
    wm_sync_init(&n->sync, n->holding, &r->hooks, node_index);
    n->sync.may_be_silent = !r->options.merges;
    r->nodes[node_index] = n;
    return n;
}

wm_replica_node *wm_replica_node_or_new(wm_replica *r, int node_index, wm_merkle_rule rule)
{
    if (!make_space(r, (uint32_t)node_index + 1)) return NULL;
    return r->nodes[node_index] != NULL ? r->nodes[node_index] : add_node(r, node_index, rule);
}

/* -- own writes ------------------------------------------------------------------------ */

static bool has_same_value(const wm_record *own, const wm_map_event *e)
{
    uint64_t a, b;
    if (own->value == NULL || e->value == NULL) return own->value == NULL && e->value == NULL;
    return wm_value_hash(own->value, own->value_len, &a) && wm_value_hash(e->value, e->value_len, &b) && a == b;
}

static void mark_own(wm_replica *r, const wm_replica_key *k, const wm_record *own, uint8_t marks, uint64_t seen)
{
    uint8_t kept = own->marks & (WM_RECORD_TOLD | WM_RECORD_REJECTED | WM_RECORD_DROPPED | WM_RECORD_COMPARED);
    wm_record_store_mark(r->sources.own, k->own_hash, k->text, k->len, kept | marks, seen);
}

/* An event of a key that this client wrote: is it that write, sent back? A node sends the events of one key
 * in the order of its stamps, so what comes before is older than the write. Where another node acknowledged the
 * write, it never comes: what the owner has counts. */
static void note_echo(wm_replica *r, int node_index, const wm_replica_key *k, const wm_map_event *e)
{
    wm_record own;
    if (!wm_replica_own(r, k, &own) || own.marks & WM_RECORD_OVER || r->options.merges) return;
    bool is_echo = has_same_value(&own, e), is_acked = own.seen > 0;
    if (!is_acked) mark_own(r, k, &own, is_echo ? WM_RECORD_ECHOED : 0, 0);
    else if (is_echo || (!wm_replica_acked_by(&own, node_index) && wm_replica_decides(r, k, &own, node_index)))
        mark_own(r, k, &own, WM_RECORD_OVER, own.seen);
}

static void note_ack(wm_replica *r, int node_index, const wm_replica_key *k, const wm_record *own, uint64_t now_us)
{
    wm_replica_node *n = wm_replica_node_or_new(r, node_index, WM_MERKLE_PLAIN); /* connecting it may change the rule */
    if (own->marks & WM_RECORD_ECHOED) {
        mark_own(r, k, own, WM_RECORD_OVER, 0); /* the base is its echo, or what came after that */
        return;
    }
    if (r->options.only_hears && r->options.merges) return;                       /* the times decide */
    if (n == NULL || !wm_key_queue_push(&n->acked, k->text, k->len, ++r->seen)) { /* as acknowledged before the map was followed */
        r->figures.no_memory++;
        return;
    }
    mark_own(r, k, own, 0, r->seen);
    wm_record_store_set_acked_by(r->sources.own, k->own_hash, k->text, k->len, (uint16_t)(node_index + 1));
    wm_sync_changed(&n->sync, now_us);
}

void wm_replica_acked(wm_replica *r, int node_index, const char *key, size_t len, uint32_t op, uint64_t now_us)
{
    wm_replica_key k = wm_replica_key_of(r, key, len);
    wm_record own;
    if (!wm_replica_own(r, &k, &own) || own.op != op || own.marks & WM_RECORD_OVER) return;
    /* What came after its echo is shown from now on, as is the owner's record when it was another node that acknowledged. */
    wm_replica_sight before = wm_replica_look(r, &k);
    note_ack(r, node_index, &k, &own, now_us);
    wm_replica_tell(r, &k, &before, WM_CHANGE_REMOTE);
}

/* What was acknowledged up to `seen` is in the node's holding, or the node has it no more. */
static void end_acked(wm_replica *r, wm_replica_node *n, uint64_t seen)
{
    wm_queued_key queued;
    wm_record own;
    while (wm_key_queue_first(&n->acked, &queued) && queued.note <= seen) {
        wm_replica_key k = wm_replica_key_of(r, queued.key, queued.key_len);
        wm_key_queue_pop(&n->acked);
        if (!wm_replica_own(r, &k, &own) || own.marks & WM_RECORD_OVER || own.seen != queued.note) continue;
        wm_replica_sight before = wm_replica_look(r, &k);
        mark_own(r, &k, &own, WM_RECORD_OVER, own.seen);
        wm_replica_tell(r, &k, &before, WM_CHANGE_REMOTE);
    }
}

/* The echo and the acknowledgement arrive together but for the order in which sockets are served. */
#define ECHO_US 2000000u

static void await_echoes_of(wm_replica *r, wm_replica_node *n, uint64_t now_us)
{
    if (n->echoes_until_us != 0 && now_us >= n->echoes_until_us) {
        end_acked(r, n, n->echoes_seen);
        n->echoes_until_us = 0;
    }
    if (n->echoes_until_us != 0 || n->acked.count == 0) return;
    n->echoes_until_us = now_us + ECHO_US;
    n->echoes_seen = r->seen;
}

void wm_replica_await_echoes(wm_replica *r, uint64_t now_us)
{
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i] != NULL) await_echoes_of(r, r->nodes[i], now_us);
}

/* The node was read after the acknowledgement: what it has of the key counts. */
static void end_read(wm_replica *r, const wm_sync *s, const wm_replica_key *k, const wm_walk_step *step)
{
    wm_record own;
    if (!wm_replica_own(r, k, &own) || own.marks & WM_RECORD_OVER) return;
    if (own.seen <= step->seen && wm_replica_decides(r, k, &own, s->node_index)) mark_own(r, k, &own, WM_RECORD_OVER, own.seen);
}

/* -- events ---------------------------------------------------------------------------- */

static int put_event(wm_replica *r, wm_replica_node *n, const wm_replica_key *k, const wm_map_event *e)
{
    wm_record record;
    int status = read_record(r, n, e, &record);
    if (status < 0) return status;
    if (!wm_holding_is_news(n->holding, k->hash, &record)) return 1;
    if (wm_holding_takes(n->holding, k->hash, k->text, k->len)) return wm_holding_put(n->holding, k->hash, &record);
    wm_replica_run_short(r, n);
    return 1;
}

/* A grave that there is no room for is not needed: nothing brings the record back. */
static int drop_event(wm_replica *r, wm_replica_node *n, const wm_replica_key *k)
{
    if (!wm_holding_takes(n->holding, k->hash, k->text, k->len)) return WM_OK;
    return wm_holding_drop(n->holding, k->hash, k->text, k->len, ++r->seen);
}

int wm_replica_event(wm_replica *r, int node_index, const wm_map_event *e, uint64_t now_us)
{
    wm_replica_node *n = r->options.only_hears ? wm_replica_node_or_new(r, node_index, WM_MERKLE_PLAIN) : node_of(r, node_index);
    bool is_heard = n != NULL && (r->options.only_hears || n->sync.state != WM_SYNC_OFF);
    if (!is_heard || e->key_len > UINT16_MAX) return 1;
    if (!e->has_record && !e->is_removal) return 1;
    wm_replica_key k = wm_replica_key_of(r, e->key, e->key_len);
    wm_replica_sight before = wm_replica_look(r, &k);
    bool did_count = wm_replica_counts(r, &k);
    r->figures.events++;
    int status = e->has_record ? put_event(r, n, &k, e) : drop_event(r, n, &k);
    if (status == WM_OK) {
        wm_replica_found(r, &k);
        wm_replica_recount(r, &k, did_count);
        note_echo(r, node_index, &k, e);
        wm_replica_tell(r, &k, &before, WM_CHANGE_REMOTE);
    }
    if (status == WM_ENOMEM) r->figures.no_memory++;
    if (status != WM_EINVAL) wm_sync_changed(&n->sync, now_us); /* also of what was dropped for want of memory */
    return status;
}

/* -- walks ----------------------------------------------------------------------------- */

static wm_change_origin origin_of(const wm_sync *s)
{
    return s->equal_us == 0 ? WM_CHANGE_SNAPSHOT : WM_CHANGE_REPAIR;
}

static void count_repair(wm_replica *r, const wm_sync *s)
{
    if (origin_of(s) != WM_CHANGE_REPAIR) return;
    r->figures.repairs++;
    r->figures.missed += !s->is_new;
}

static bool is_same_time(const wm_record *a, const wm_record *b)
{
    return a->millis == b->millis && a->counter == b->counter && a->node == b->node;
}

static void on_found(void *user, wm_sync *s, const wm_map_event *e, const wm_walk_step *step)
{
    wm_replica *r = user;
    wm_replica_key k = wm_replica_key_of(r, e->key, e->key_len);
    wm_record held, record;
    int status = read_record(r, owner_of_sync(s), e, &record);
    bool is_known = status == WM_OK && wm_holding_look(s->holding, k.hash, k.text, k.len, &held);
    if (is_known && held.seen > step->seen) return; /* heard of later than the node was asked */
    if (status == WM_OK && !wm_holding_takes(s->holding, k.hash, k.text, k.len)) {
        wm_replica_run_short(r, owner_of_sync(s));
        return;
    }
    wm_replica_sight before = wm_replica_look(r, &k);
    bool did_count = wm_replica_counts(r, &k);
    if (status == WM_OK && is_known && !(held.marks & WM_RECORD_GRAVE) && is_same_time(&held, &record)) {
        wm_holding_mark(s->holding, k.hash, k.text, k.len, held.marks, record.seen);
    } else if (status == WM_OK) {
        status = wm_holding_put(s->holding, k.hash, &record);
        s->has_found |= status == WM_OK;
        count_repair(r, s);
    }
    if (status == WM_ENOMEM) r->figures.no_memory++;
    if (status < 0) return;
    wm_replica_found(r, &k);
    wm_replica_recount(r, &k, did_count);
    end_read(r, s, &k, step);
    wm_replica_tell(r, &k, &before, origin_of(s));
}

/* Head has its records after a restart: what it holds no more was removed. */
static bool loses_records(const wm_replica_node *n)
{
    return n->rule == WM_MERKLE_PLAIN;
}

/* Whether a record that the node holds no more may be lost: then it is kept until that is known. */
static bool keep_gone(wm_replica *r, wm_replica_node *n, const wm_replica_key *k, const wm_record *held)
{
    if (!loses_records(n) || !n->sync.is_new || n->count_before < LOSS_MIN) return true;
    if (n->gone == NULL) {
        n->gone = wm_holding_new(r->options.rules, r->sources.names);
        if (n->gone != NULL) wm_holding_count_in(n->gone, r->options.space);
    }
    return n->gone != NULL && wm_holding_put(n->gone, k->hash, held) == WM_OK;
}

static void remove_absent(wm_replica *r, wm_replica_node *n, const wm_record *held, const wm_walk_step *step)
{
    wm_replica_key k = wm_replica_key_of(r, held->key, held->key_len);
    wm_replica_sight before = wm_replica_look(r, &k);
    bool did_count = wm_replica_counts(r, &k);
    if (!keep_gone(r, n, &k, held)) {
        r->figures.no_memory++;
        return; /* the next walk will find it again */
    }
    wm_holding_drop(n->holding, k.hash, k.text, k.len, ++r->seen);
    wm_replica_recount(r, &k, did_count);
    n->sync.has_found = true;
    count_repair(r, &n->sync);
    end_read(r, &n->sync, &k, step);
    wm_replica_tell(r, &k, &before, origin_of(&n->sync));
}

/* The first record of a hash that the node holds no more. What was heard of since the root was asked for counts as
 * held: head lists in a leaf only keys that it had then. */
static bool next_absent(wm_holding *h, uint32_t hash, uint64_t upto, wm_record *out)
{
    for (uint32_t nth = 0; wm_holding_of_hash(h, hash, nth, out); nth++)
        if (!(out->marks & WM_RECORD_GRAVE) && out->seen <= upto) return true;
    return false;
}

static void on_leaf_read(void *user, wm_sync *s, uint32_t leaf, const wm_walk_step *step)
{
    wm_replica *r = user;
    wm_record held;
    uint32_t count;
    wm_holding_leaf(s->holding, leaf, &count);
    for (uint32_t i = count; i-- > 0;) { /* backwards: what is removed changes places with the last */
        const uint32_t *hashes = wm_holding_leaf(s->holding, leaf, &count);
        if (i >= count) continue;
        uint32_t hash = hashes[i];
        if (next_absent(s->holding, hash, s->asked_seen, &held)) remove_absent(r, owner_of_sync(s), &held, step);
    }
}

/* -- losses ---------------------------------------------------------------------------- */

static bool add_lost(wm_replica *r, wm_holding *h, int node_index)
{
    wm_lost *grown = realloc(r->lost, (r->lost_count + 1) * sizeof *grown);
    if (grown == NULL) return false;
    r->lost = grown;
    r->is_uncounted |= r->options.merges; /* a tombstone of another node may be the newest now */
    r->lost[r->lost_count++] = (wm_lost){.holding = h, .node_index = node_index};
    return true;
}

/* What becomes of records that are gone: lost and shown on, or removed, which is reported in parts. */
static void settle_gone(wm_replica *r, int node_index, wm_holding *gone, bool is_lost)
{
    if (is_lost && !r->options.drops_lost && add_lost(r, gone, node_index)) return;
    wm_replica_dismiss(r, gone, is_lost ? WM_CHANGE_LOST : WM_CHANGE_REPAIR);
}

/* All that the node held is lost. Without memory for that, the next walk removes the records. */
static void lose_all(wm_replica *r, wm_replica_node *n)
{
    wm_holding *fresh = new_holding(r, n->rule), *gone = n->holding;
    if (fresh == NULL) {
        r->figures.no_memory++;
        return;
    }
    n->holding = n->sync.holding = fresh;
    settle_gone(r, n->sync.node_index, gone, true);
}

static void on_came_up_empty(void *user, wm_sync *s)
{
    if (loses_records(owner_of_sync(s))) lose_all(user, owner_of_sync(s));
}

void wm_replica_forsake(wm_replica *r, int node_index)
{
    wm_replica_node *n = node_of(r, node_index);
    uint32_t before = r->lost_count;
    if (n == NULL || n->sync.state != WM_SYNC_OFF || wm_holding_count(n->holding) == 0) return;
    lose_all(r, n);
    if (r->lost_count > before) r->lost[before].forsaken = n;
}

/* Whether the node holds a record from before it was away: then it has its memory still, and what is gone was removed. */
static bool has_survivor(wm_replica_node *n)
{
    wm_record record;
    for (size_t at = wm_holding_next(n->holding, 0, &record); at != 0; at = wm_holding_next(n->holding, at, &record))
        if (!is_later((wm_hlc){record.millis, record.counter}, n->latest_before)) return true;
    return false;
}

/* A node that was done without is back and was read. If it has its memory still, what it does not hold was removed. */
static void settle_forsaken(wm_replica *r, wm_replica_node *n)
{
    for (uint32_t i = r->lost_count; i-- > 0;) {
        wm_lost lost = r->lost[i];
        if (lost.forsaken != n) continue;
        r->lost[i].forsaken = NULL;
        if (r->options.merges || (loses_records(n) && !has_survivor(n))) continue;
        r->lost[i] = r->lost[--r->lost_count];
        wm_replica_dismiss(r, lost.holding, WM_CHANGE_REPAIR);
    }
}

/* 0.11: a node that came up empty has records from before, too, of the nodes that had their backups. */
static bool are_lost(const wm_replica *r, wm_replica_node *n, const wm_holding *gone)
{
    return wm_holding_count(gone) * 2 > n->count_before && (r->options.merges || !has_survivor(n));
}

static void on_equal(void *user, wm_sync *s, uint64_t seen)
{
    wm_replica *r = user;
    wm_replica_node *n = owner_of_sync(s);
    if (n->gone != NULL) {
        wm_holding *gone = n->gone;
        n->gone = NULL;
        settle_gone(r, s->node_index, gone, are_lost(r, n, gone));
    }
    if (s->is_new) settle_forsaken(r, n);
    end_acked(r, n, seen);
    r->turns += s->is_new || s->is_short;
    if (s->equal_us > 0) return;
    wm_replica_look_at_own(r, WM_CHANGE_SNAPSHOT);
}

static void on_walked(void *user, wm_sync *s)
{
    wm_replica *r = user;
    r->turns += s->is_new;
}

static const wm_sync_hooks sync_hooks = {
    .found = on_found,
    .leaf_read = on_leaf_read,
    .equal = on_equal,
    .walked = on_walked,
    .came_up_empty = on_came_up_empty,
};

/* -- nodes ----------------------------------------------------------------------------- */

/* The node runs another release than before: what it held is read anew. */
static bool change_rule(wm_replica *r, wm_replica_node *n, wm_merkle_rule rule)
{
    wm_holding *fresh = new_holding(r, rule);
    if (fresh == NULL) return false;
    wm_replica_dismiss(r, n->holding, WM_CHANGE_REPAIR);
    n->holding = n->sync.holding = fresh;
    n->rule = rule;
    return true;
}

/* What it holds now is what it held before, if it has not been away since it was equal last. */
static void note_before(wm_replica_node *n)
{
    if (n->sync.state != WM_SYNC_OFF && (!n->sync.is_new || n->sync.equal_us == 0)) n->latest_before = n->latest;
}

int wm_replica_connect(wm_replica *r, int node_index, int connection, wm_merkle_rule rule)
{
    wm_replica_node *n = wm_replica_node_or_new(r, node_index, rule);
    if (n == NULL || (n->rule != rule && !change_rule(r, n, rule))) return WM_ENOMEM;
    n->count_before = wm_holding_count(n->holding) + (n->gone != NULL ? wm_holding_count(n->gone) : 0);
    note_before(n);
    wm_sync_connected(&n->sync, connection);
    r->turns++;
    return WM_OK;
}

void wm_replica_rename(wm_replica *r, int from, int to)
{
    wm_replica_node *n = node_of(r, from);
    if (from == to || n == NULL || n->sync.state != WM_SYNC_OFF || !make_space(r, (uint32_t)to + 1)) return;
    wm_replica_node *other = r->nodes[to];
    if (other != NULL && other->sync.state != WM_SYNC_OFF) return;
    r->nodes[to] = n;
    r->nodes[from] = other;
    n->sync.node_index = to;
    if (other != NULL) other->sync.node_index = from;
    wm_replica_owners_changed(r);
}

void wm_replica_disconnect(wm_replica *r, int node_index)
{
    wm_replica_node *n = node_of(r, node_index);
    if (n == NULL || n->sync.state == WM_SYNC_OFF) return;
    note_before(n);
    wm_sync_disconnected(&n->sync);
    r->turns++;
}

uint32_t wm_replica_node_count(const wm_replica *r)
{
    return r->node_count;
}

wm_sync *wm_replica_sync(wm_replica *r, int node_index)
{
    wm_replica_node *n = node_of(r, node_index);
    return n != NULL ? &n->sync : NULL;
}

wm_hlc wm_replica_latest(const wm_replica *r)
{
    return r->latest;
}

uint64_t wm_replica_seen(const wm_replica *r)
{
    return r->seen;
}

const wm_sync_rhythm *wm_replica_rhythm(const wm_replica *r)
{
    return &r->options.rhythm;
}

bool wm_replica_only_hears(const wm_replica *r)
{
    return r->options.only_hears;
}

bool wm_replica_begin_comparing(wm_replica *r, wm_replica_options options)
{
    const wm_replica_options *o = &r->options;
    if (o->rules.hash != options.rules.hash || o->rules.partitions != options.rules.partitions || o->merges != options.merges) return false;
    r->options = options;
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i] != NULL) wm_holding_count_in(r->nodes[i]->holding, options.space);
    wm_replica_release(r); /* own writes are shown until their owners were compared */
    return true;
}

/* -- life ------------------------------------------------------------------------------ */

wm_replica *wm_replica_new(wm_replica_options options, wm_replica_sources sources)
{
    wm_replica *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    r->options = options;
    r->sources = sources;
    r->hooks = sync_hooks;
    r->hooks.user = r;
    return r;
}

static void free_node(wm_replica_node *n)
{
    if (n == NULL) return;
    wm_sync_close(&n->sync);
    wm_holding_free(n->holding);
    wm_holding_free(n->gone);
    wm_key_queue_close(&n->acked);
    free(n);
}

void wm_replica_release(wm_replica *r)
{
    wm_record own;
    for (size_t at = wm_record_store_next(r->sources.own, 0, &own); at != 0; at = wm_record_store_next(r->sources.own, at, &own)) {
        if (own.node != 0 || (own.marks == 0 && own.seen == 0)) continue;
        wm_replica_key k = wm_replica_key_of(r, own.key, own.key_len);
        own.marks &= (uint8_t)~WM_RECORD_COMPARED;
        mark_own(r, &k, &own, 0, 0);
        wm_record_store_set_acked_by(r->sources.own, k.own_hash, own.key, own.key_len, 0);
    }
}

void wm_replica_free(wm_replica *r)
{
    if (r == NULL) return;
    for (uint32_t i = 0; i < r->node_count; i++) free_node(r->nodes[i]);
    for (uint32_t i = 0; i < r->lost_count; i++) wm_holding_free(r->lost[i].holding);
    for (uint32_t i = 0; i < r->dismissed_count; i++) wm_holding_free(r->dismissed[i].holding);
    for (uint32_t i = 0; i < r->restored_count; i++) {
        free(r->restored[i].id);
        free(r->restored[i].url);
        wm_holding_free(r->restored[i].holding);
    }
    free(r->restored);
    free(r->nodes);
    free(r->lost);
    free(r->dismissed);
    wm_key_queue_close(&r->changes);
    free(r);
}
