/* What the servers at the other end cannot store, and is refused when it is written. */
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "client/state.h"
#include "wire/family_rules.h"

/* The largest operation that still fits into a message with its frame head. */
#define OP_BYTES_MAX (WM_FRAME_BYTES_MAX - 64u)
/* Of an operation's own bytes, in front of its key and besides its value. */
#define OP_OWN (WM_OP_START_LEN + 3u + WM_OP_TIME_LEN)

static int name_status(const wm_map *m)
{
    const wm_client *c = m->client;
    if (!wm_utf8_valid(m->name, m->name_len)) return WM_EUTF8;
    bool is_ruled = c->rules.family == WM_DIALECT_V2 && c->rules.checks_map_names;
    return is_ruled && !wm_v2_stores_map(m->name, m->name_len) ? WM_ENAME : WM_OK;
}

void wm_map_apply_rules(wm_map *m)
{
    const wm_client *c = m->client;
    size_t put = wm_oplog_shared_len(c->log, m->put_template), removal = wm_oplog_shared_len(c->log, m->remove_template);
    m->name_status = name_status(m);
    m->record_max = OP_BYTES_MAX - OP_OWN - (put > removal ? put : removal);
    size_t readable = wm_v2_record_max(m->name_len);
    if (c->rules.family == WM_DIALECT_V2 && readable < m->record_max) m->record_max = readable;
    m->value_max = m->name_status < 0 ? 0 : WM_FRAME_BYTES_MAX;
}

int wm_map_refuse_size(wm_map *m, size_t bytes)
{
    wm_client *c = m->client;
    c->writer.refused_bytes = bytes;
    return c->writer.status = c->rules.family == WM_DIALECT_V2 ? WM_EANSWER : WM_ESIZE;
}

int wm_map_check_size(wm_map *m, size_t key_len, size_t value_len)
{
    return key_len + value_len <= m->record_max ? WM_OK : wm_map_refuse_size(m, key_len + value_len);
}

size_t wm_map_refused_bytes(const wm_map *m)
{
    return m->client->writer.refused_bytes;
}

size_t wm_map_record_max(const wm_map *m)
{
    return m->record_max;
}

int wm_map_check_value(const wm_map *m, uint8_t *value, size_t len, char *path, size_t size)
{
    if (m->client->rules.family != WM_DIALECT_TS) return WM_OK;
    return wm_js_integers(value, len, path, size) ? WM_OK : WM_EINTEGER;
}
