/* What the servers at the other end cannot store, and is refused here: judged when it is
 * written, and for what was recorded before it was known who they are, when that is known. */
#include <stdio.h>
#include <string.h>

#include "client_internal.h"
#include "family_rules.h"
#include "status.h"
#include "utf8.h"

/* The largest operation that still fits into a message with its frame head. */
#define OP_BYTES_MAX (WM_FRAME_BYTES_MAX - 64u)
/* Of an operation's own bytes, in front of its key and besides its value. */
#define OP_OWN (WM_OP_START_LEN + 3u + WM_OP_TIME_LEN)

static int name_status(const wm_map *m)
{
    const wm_client *c = m->client;
    if (!wm_utf8_valid(m->name, m->name_len)) return WM_EUTF8;
    bool is_ruled = c->family == WM_DIALECT_V2 && c->checks_map_names;
    return is_ruled && !wm_v2_stores_map(m->name, m->name_len) ? WM_ENAME : WM_OK;
}

void wm_map_apply_rules(wm_map *m)
{
    const wm_client *c = m->client;
    size_t put = wm_oplog_shared_len(c->log, m->put_form), removal = wm_oplog_shared_len(c->log, m->remove_form);
    m->name_status = name_status(m);
    m->record_max = OP_BYTES_MAX - OP_OWN - (put > removal ? put : removal);
    size_t readable = wm_v2_record_max(m->name_len);
    if (c->family == WM_DIALECT_V2 && readable < m->record_max) m->record_max = readable;
    m->value_max = m->name_status < 0 ? 0 : WM_FRAME_BYTES_MAX;
}

int wm_map_refuse_size(wm_map *m, size_t bytes)
{
    wm_client *c = m->client;
    c->refused_bytes = bytes;
    return c->status = c->family == WM_DIALECT_V2 ? WM_EANSWER : WM_ESIZE;
}

size_t wm_map_refused_bytes(const wm_map *m)
{
    return m->client->refused_bytes;
}

size_t wm_map_record_max(const wm_map *m)
{
    return m->record_max;
}

int wm_map_check_value(const wm_map *m, uint8_t *value, size_t len, char *path, size_t size)
{
    if (m->client->family != WM_DIALECT_TS) return WM_OK;
    return wm_js_integers(value, len, path, size) ? WM_OK : WM_EINTEGER;
}

/* -- what is in the log ---------------------------------------------------------------- */

/* Why no server of the family stores the operation; the length of the reason, 0: it does. */
static int reason_against(wm_client *c, const wm_op *op, char *reason, size_t size)
{
    wm_op_view view = wm_oplog_read(c->log, op);
    const wm_map *m = wm_client_map(c, view.map_name, view.map_len);
    char path[128];
    if (m == NULL) return 0; /* out of memory: it is sent */
    if (m->name_status == WM_EUTF8) return snprintf(reason, size, "the map's name is not valid UTF-8");
    if (!wm_utf8_valid(view.key, view.key_len)) return snprintf(reason, size, "the key is not valid UTF-8");
    if (m->name_status < 0)
        return snprintf(reason, size, "a v2 server with disk storage discards writes to a map of this name");
    size_t len = view.key_len + view.value_len;
    if (len > m->record_max)
        return snprintf(reason, size, "key and value have %zu bytes, and a v2 server can answer with %zu", len, m->record_max);
    if (wm_map_check_value(m, op->span.bytes + (view.value - op->span.bytes), view.value_len, path, sizeof path) < 0)
        return snprintf(reason, size, "an integer beyond 2^53 at '%s' breaks the replication of a 0.11 cluster", path);
    return 0;
}

void wm_client_judge_log(wm_client *c)
{
    char reason[256];
    for (uint32_t i = 1; i < wm_oplog_end(c->log); i++) {
        const wm_op *op = wm_oplog_at(c->log, i);
        if (op->state != WM_OP_PENDING) continue;
        int len = reason_against(c, op, reason, sizeof reason);
        if (len > 0) wm_client_reject_pending(c, i, reason, (size_t)len);
    }
}

void wm_client_know_family(wm_client *c, wm_dialect family)
{
    if (family == c->family || family == WM_DIALECT_UNKNOWN) return;
    c->family = family;
    for (uint32_t i = 0; i < c->map_count; i++) wm_map_apply_rules(c->maps[i]);
    wm_client_catch_up(c); /* an operation is settled once it is known what follows it */
    wm_client_judge_log(c);
}
