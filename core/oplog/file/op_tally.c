#include "oplog/file/op_tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool add_item(wm_tally_list *l, uint64_t seq)
{
    if (l->added_count == l->added_cap) {
        uint32_t cap = l->added_cap ? l->added_cap * 2 : 1024;
        wm_tally_item *grown = realloc(l->added, cap * sizeof *grown);
        if (grown == NULL) return false;
        l->added = grown;
        l->added_cap = cap;
    }
    l->added[l->added_count] = (wm_tally_item){seq, l->added_count};
    l->added_count++;
    return true;
}

static bool add_seqs(wm_seq_list *l, const wm_op_entry *entry)
{
    size_t count = entry->len / sizeof *l->seqs;
    if (!wm_seq_list_reserve(l, l->count + count)) return false;
    if (count > 0) memcpy(l->seqs + l->count, entry->bytes, count * sizeof *l->seqs);
    l->count += count;
    return true;
}

static bool add(wm_op_tally *t, const wm_op_entry *entry)
{
    if (entry->seq > t->last_seq) t->last_seq = entry->seq;
    switch (entry->kind) {
    case WM_ENTRY_OPERATION: return add_item(&t->operations, entry->seq);
    case WM_ENTRY_SETTLED: return add_seqs(&t->operations.removed, entry);
    case WM_ENTRY_LETTER: return add_item(&t->letters, entry->seq);
    case WM_ENTRY_LETTERS_DROPPED: return add_seqs(&t->letters.removed, entry);
    case WM_ENTRY_ACKNOWLEDGED: return add_seqs(&t->acknowledged, entry);
    default:
        t->id_len = entry->len < WM_OP_TALLY_ID_MAX ? entry->len : WM_OP_TALLY_ID_MAX;
        memcpy(t->id, entry->bytes, t->id_len);
        t->id[t->id_len] = 0;
        return true;
    }
}

bool wm_op_tally_add(wm_op_tally *t, const uint8_t *payload, size_t len, wm_log_error *e)
{
    const uint8_t *at = payload, *end = payload + len;
    wm_op_entry entry;
    while (wm_op_entry_next(&at, end, &entry))
        if (!add(t, &entry)) return wm_log_fail_io(e, ENOMEM);
    /* The checksum was right, so the file was written like this. */
    return at == end || wm_log_fail(e, WM_LOG_NEW_FORMAT, "it has entries that this version of Wingman does not know");
}

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const wm_tally_item *)a)->seq, y = ((const wm_tally_item *)b)->seq;
    return x < y ? -1 : x > y;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void sort(wm_seq_list *l)
{
    if (l->count > 0) qsort(l->seqs, l->count, sizeof *l->seqs, by_value);
}

static bool finish(wm_tally_list *l)
{
    const wm_seq_list *removed = &l->removed;
    l->live = malloc(l->added_count + 1u);
    if (l->live == NULL) return false;
    if (l->added_count > 0) qsort(l->added, l->added_count, sizeof *l->added, by_seq);
    sort(&l->removed);
    size_t at = 0;
    for (uint32_t i = 0; i < l->added_count; i++) {
        while (at < removed->count && removed->seqs[at] < l->added[i].seq) at++;
        bool is_live = at == removed->count || removed->seqs[at] != l->added[i].seq;
        l->live[l->added[i].place] = is_live;
        l->live_count += is_live;
    }
    return true;
}

static void count_acknowledged(wm_op_tally *t)
{
    const wm_tally_list *l = &t->operations;
    for (uint32_t i = 0; i < l->added_count; i++)
        if (l->live[l->added[i].place]) t->acknowledged_count += wm_op_tally_is_acknowledged(t, l->added[i].seq);
}

bool wm_op_tally_finish(wm_op_tally *t, wm_log_error *e)
{
    sort(&t->acknowledged);
    if (!finish(&t->operations) || !finish(&t->letters)) return wm_log_fail_io(e, ENOMEM);
    count_acknowledged(t);
    return true;
}

wm_op_counts wm_op_tally_counts(const wm_op_tally *t)
{
    uint32_t acknowledged = t->acknowledged_count;
    return (wm_op_counts){t->operations.live_count - acknowledged, acknowledged, t->letters.live_count};
}

bool wm_op_tally_is_live(wm_op_tally *t, const wm_op_entry *entry)
{
    wm_tally_list *l = entry->kind == WM_ENTRY_OPERATION ? &t->operations : &t->letters;
    return l->next < l->added_count && l->live[l->next++];
}

bool wm_op_tally_is_acknowledged(const wm_op_tally *t, uint64_t seq)
{
    const wm_seq_list *l = &t->acknowledged;
    return l->count > 0 && bsearch(&seq, l->seqs, l->count, sizeof seq, by_value) != NULL;
}

static void close_list(wm_tally_list *l)
{
    free(l->added);
    free(l->removed.seqs);
    free(l->live);
}

void wm_op_tally_close(wm_op_tally *t)
{
    close_list(&t->operations);
    close_list(&t->letters);
    free(t->acknowledged.seqs);
}
