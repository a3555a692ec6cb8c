/* A replica: what another process has saved of it. */
#include <stdlib.h>
#include <string.h>

#include "replica/replica_state.h"

void wm_replica_track(wm_replica *r)
{
    r->is_tracked = true;
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i] != NULL) wm_holding_track(r->nodes[i]->holding, true);
}

/* -- restoring -------------------------------------------------------------------------- */

static bool is_later(wm_hlc a, wm_hlc b)
{
    return a.millis > b.millis || (a.millis == b.millis && a.counter > b.counter);
}

static wm_hlc latest_of(wm_holding *h)
{
    wm_hlc latest = {0};
    wm_record record;
    for (size_t at = wm_holding_next(h, 0, &record); at != 0; at = wm_holding_next(h, at, &record))
        if (is_later((wm_hlc){record.millis, record.counter}, latest)) latest = (wm_hlc){record.millis, record.counter};
    return latest;
}

bool wm_replica_restore(wm_replica *r, const wm_kept_holding *kept)
{
    wm_restored *grown = realloc(r->restored, (r->restored_count + 1) * sizeof *grown);
    char *id = strdup(kept->id), *url = strdup(kept->url);
    if (grown != NULL) r->restored = grown;
    if (grown == NULL || id == NULL || url == NULL) {
        free(id);
        free(url);
        return false;
    }
    wm_hlc latest = latest_of(kept->holding);
    wm_replica_count_in(r, kept->holding);
    r->restored[r->restored_count++] = (wm_restored){id, url, kept->rule, kept->is_cut ? 0 : kept->equal_ms, kept->is_cut, latest, kept->holding};
    if (is_later(latest, r->latest)) r->latest = latest;
    wm_holding_track(kept->holding, false);
    return true;
}

/* -- what becomes of it ------------------------------------------------------------------ */

/* Frees it, but for its holding. */
static void take_out(wm_replica *r, uint32_t i)
{
    free(r->restored[i].id);
    free(r->restored[i].url);
    r->restored[i] = r->restored[--r->restored_count];
}

static uint32_t find(const wm_replica *r, const char *id, const char *url)
{
    for (uint32_t i = 0; id[0] != 0 && i < r->restored_count; i++)
        if (strcmp(r->restored[i].id, id) == 0) return i;
    for (uint32_t i = 0; url[0] != 0 && i < r->restored_count; i++)
        if (strcmp(r->restored[i].url, url) == 0) return i;
    return r->restored_count;
}

void wm_replica_adopt(wm_replica *r, int node_index, const char *id, const char *url)
{
    uint32_t i = find(r, id, url);
    if (i == r->restored_count) return;
    wm_restored *found = &r->restored[i];
    wm_replica_node *n = wm_replica_node_or_new(r, node_index, found->rule);
    if (n == NULL || n->sync.state != WM_SYNC_OFF || n->sync.equal_us > 0 || wm_holding_count(n->holding) > 0) return;
    wm_holding_free(n->holding);
    n->holding = n->sync.holding = found->holding;
    n->rule = found->rule;
    n->equal_ms = found->equal_ms;
    n->latest = n->latest_before = found->latest;
    n->sync.is_short = found->is_cut;
    take_out(r, i);
}

void wm_replica_drop_restored(wm_replica *r)
{
    while (r->restored_count > 0) {
        wm_holding *h = r->restored[r->restored_count - 1].holding;
        take_out(r, r->restored_count - 1);
        wm_replica_dismiss(r, h, WM_CHANGE_REPAIR);
    }
}

static bool was_connected(const wm_replica *r)
{
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i] != NULL && (r->nodes[i]->sync.state != WM_SYNC_OFF || wm_holding_count(r->nodes[i]->holding) > 0)) return true;
    return false;
}

/* Nodes that acknowledged something before they were connected have an empty holding by the former rules. */
static bool renew_holding(wm_replica *r, wm_replica_node *n)
{
    wm_holding *fresh = wm_holding_new(r->options.rules, r->sources.names);
    if (fresh == NULL) return false;
    wm_holding_count_in(fresh, r->options.space);
    wm_holding_track(fresh, false);
    wm_holding_free(n->holding);
    n->holding = n->sync.holding = fresh;
    n->rule = r->options.rules.sums;
    n->sync.may_be_silent = !r->options.merges;
    return true;
}

bool wm_replica_change_rules(wm_replica *r, wm_hash_kind hash, uint32_t partitions, bool merges)
{
    if (was_connected(r)) return false;
    wm_replica_drop_restored(r);
    r->options.rules.hash = hash;
    r->options.rules.partitions = partitions;
    r->options.merges = merges;
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i] != NULL && !renew_holding(r, r->nodes[i])) return false;
    return true;
}

/* -- saving ----------------------------------------------------------------------------- */

static uint64_t equal_ms_of(const wm_replica_node *n, uint64_t now_us, uint64_t wall_ms)
{
    if (n->sync.equal_us == 0) return n->equal_ms;
    return wall_ms - (now_us - n->sync.equal_us) / 1000;
}

bool wm_replica_kept(const wm_replica *r, uint32_t i, uint64_t now_us, uint64_t wall_ms, wm_kept_holding *out)
{
    for (uint32_t at = 0; at < r->node_count; at++) {
        const wm_replica_node *n = r->nodes[at];
        if (n == NULL || i-- > 0) continue;
        *out = (wm_kept_holding){.node_index = (int)at, .rule = n->rule, .equal_ms = equal_ms_of(n, now_us, wall_ms), .holding = n->holding};
        return true;
    }
    if (i >= r->restored_count) return false;
    const wm_restored *found = &r->restored[i];
    *out = (wm_kept_holding){-1, found->id, found->url, found->rule, found->equal_ms, found->holding};
    return true;
}
