/* What was recorded before it was known who the servers at the other end are, and what they cannot
 * store of it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "base/utf8.h"
#include "client/state.h"

typedef struct refused_op {
    uint64_t seq;
    uint32_t index;
} refused_op;

/* What is judged, one operation after the other. */
typedef struct judge {
    wm_client *client;
    uint32_t template; /* of the last one, whose map it was: most stand in runs */
    const wm_map *map;
    int reason_len;
    char reason[256];
    refused_op *refused;
    size_t count;
    size_t cap;
} judge;

static const wm_map *map_of(judge *j, const wm_op *op, const wm_op_view *view)
{
    if (j->map != NULL && j->template == op->template) return j->map;
    j->template = op->template;
    return j->map = wm_client_map(j->client, view->map_name, view->map_len);
}

/* Why no server of the family stores the operation; the length of the reason, 0: it does. */
static int reason_against(judge *j, const wm_op *op)
{
    wm_op_view view = wm_oplog_read(j->client->log, op);
    const wm_map *m = map_of(j, op, &view);
    char path[128];
    if (m == NULL) return 0; /* out of memory: it is sent */
    if (m->name_status == WM_EUTF8) return snprintf(j->reason, sizeof j->reason, "the map's name is not valid UTF-8");
    if (!wm_utf8_valid(view.key, view.key_len))
        return snprintf(j->reason, sizeof j->reason, "the key is not valid UTF-8");
    if (m->name_status < 0)
        return snprintf(j->reason, sizeof j->reason, "a v2 server with disk storage discards writes to a map of this name");
    size_t len = view.key_len + view.value_len;
    if (len > m->record_max)
        return snprintf(j->reason, sizeof j->reason, "key and value have %zu bytes, and a v2 server can answer with %zu", len,
                        m->record_max);
    uint8_t *value = op->span.bytes + (view.value - op->span.bytes);
    if (wm_map_check_value(m, value, view.value_len, path, sizeof path) < 0)
        return snprintf(j->reason, sizeof j->reason,
                        "an integer beyond 2^53 at '%s' breaks the replication of a 0.11 cluster", path);
    return 0;
}

static bool is_refused(void *user, uint32_t index)
{
    judge *j = user;
    j->reason_len = reason_against(j, wm_oplog_at(j->client->log, index));
    return j->reason_len > 0;
}

static void reject(judge *j, uint32_t index)
{
    if (is_refused(j, index)) wm_client_reject_taken(j->client, index, j->reason, (size_t)j->reason_len);
}

static bool keep_for_later(judge *j, uint32_t index)
{
    if (j->count == j->cap) {
        size_t cap = j->cap == 0 ? 64 : j->cap * 2;
        refused_op *grown = realloc(j->refused, cap * sizeof *grown);
        if (grown == NULL) return false;
        j->refused = grown;
        j->cap = cap;
    }
    j->refused[j->count++] = (refused_op){wm_oplog_at(j->client->log, index)->seq, index};
    return true;
}

static void taken(void *user, uint32_t index)
{
    if (!keep_for_later(user, index)) reject(user, index);
}

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const refused_op *)a)->seq, y = ((const refused_op *)b)->seq;
    return x < y ? -1 : x > y;
}

void wm_client_judge_log(wm_client *c)
{
    judge j = {.client = c};
    wm_client_catch_up(c); /* an operation is settled once it is known what follows it */
    wm_batcher_sift(c->batcher, is_refused, taken, &j);
    /* In the order of writing, so that they are reported, and displaced, in this order. */
    if (j.count > 0) qsort(j.refused, j.count, sizeof *j.refused, by_seq);
    for (size_t i = 0; i < j.count; i++) reject(&j, j.refused[i].index);
    free(j.refused);
}

void wm_client_know_family(wm_client *c, wm_dialect family)
{
    if (family == c->rules.family || family == WM_DIALECT_UNKNOWN) return;
    c->rules.family = family;
    for (uint32_t i = 0; i < c->maps.count; i++) wm_map_apply_rules(c->maps.all[i]);
    wm_client_hear_maps(c);
    wm_client_judge_log(c);
}
