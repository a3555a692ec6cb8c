/* Rejecting operations that no server takes: they leave the log, become dead letters, and are reported. */
#include "base/status.h"
#include "client/state.h"

/* Which node a connection leads to, for people: its id, or its URL while that is not known. */
static const char *node_of_connection(const wm_client *c, int connection)
{
    if (connection == WM_NO_CONNECTION || connection == c->foreign_connection) return "";
    int node_index = wm_node_pool_node_of(c->pool, connection);
    const char *id = wm_node_pool_id(c->pool, node_index);
    return id[0] != '\0' ? id : wm_node_pool_shown_url(c->pool, node_index);
}

static void tell(wm_client *c, int connection, const wm_op *op, const void *reason, size_t len)
{
    wm_op_view view = wm_oplog_read(c->log, op);
    wm_buffer text;
    wm_buffer_init(&text);
    wm_buffer_append(&text, view.key, view.key_len);
    wm_buffer_append(&text, view.map_name, view.map_len);
    if (len > 0) wm_buffer_append(&text, reason, len);
    wm_event event = {
        .type = WM_EVENT_OP_REJECTED,
        .connection = connection,
        .a = (int64_t)op->seq,
        .b = (int64_t)(view.key_len | view.map_len << 16),
    };
    if (!text.failed) wm_client_event(c, event, text.data, text.len);
    wm_buffer_close(&text);
}

static void bury(wm_client *c, int connection, uint32_t index, const void *reason, size_t len)
{
    const wm_op *op = wm_oplog_at(c->log, index);
    tell(c, connection, op, reason, len);
    wm_dead_letters_add(c->dead_letters, c->log, op, node_of_connection(c, connection), reason, len); /* counted when it fails */
    c->figures.stats.ops_rejected++;
    wm_client_settle_not_stored(c, index, WM_RECORD_REJECTED);
    wm_client_check_watermarks(c);
}

void wm_client_reject(wm_client *c, int connection, uint32_t index, const void *reason, size_t len)
{
    bool is_aside = wm_oplog_at(c->log, index)->state == WM_OP_ASIDE;
    if (is_aside ? wm_batcher_remove_aside(c->batcher, index) : wm_batcher_remove_in_flight(c->batcher, connection, index))
        bury(c, connection, index, reason, len);
}

void wm_client_reject_taken(wm_client *c, uint32_t index, const void *reason, size_t len)
{
    bury(c, WM_NO_CONNECTION, index, reason, len);
}

const wm_dead_letters *wm_client_dead_letters(const wm_client *c)
{
    return c->dead_letters;
}

double wm_client_resend_rejected(wm_client *c, uint64_t seq)
{
    wm_dead_letter letter;
    if (!wm_dead_letters_find(c->dead_letters, seq, &letter)) return WM_EINVAL;
    wm_map *m = wm_client_map(c, letter.op.map_name, letter.op.map_len);
    if (m == NULL) return WM_ENOMEM;
    double again = wm_map_write_again(m, &letter.op);
    if (again >= 0) wm_dead_letters_drop(c->dead_letters, seq);
    return again;
}

bool wm_client_drop_rejected(wm_client *c, uint64_t seq)
{
    return wm_dead_letters_drop(c->dead_letters, seq);
}
