#include "oplog/oplog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "oplog/op_store.h"
#include "oplog/op_table.h"

struct wm_oplog {
    wm_op_table table;
    wm_oplog_limits limits;
    wm_op_store *store; /* NULL: in memory only */
    bool store_failed;
    wm_log_error store_error; /* why, while it failed */
};

wm_oplog *wm_oplog_new(wm_oplog_limits limits)
{
    wm_oplog *log = calloc(1, sizeof *log);
    if (log == NULL) return NULL;
    log->limits = limits;
    if (!wm_op_table_init(&log->table)) {
        wm_oplog_free(log);
        return NULL;
    }
    return log;
}

void wm_oplog_free(wm_oplog *log)
{
    if (log == NULL) return;
    wm_op_store_close(log->store);
    wm_op_table_close(&log->table);
    free(log);
}

bool wm_oplog_is_full(const wm_oplog *log)
{
    return log->store_failed || wm_oplog_would_fill(log, log->table.count, log->table.bytes);
}

bool wm_oplog_would_fill(const wm_oplog *log, uint32_t ops, size_t bytes)
{
    return ops >= log->limits.max_ops || bytes >= log->limits.max_bytes;
}

int wm_oplog_reserve(wm_oplog *log, size_t size, uint8_t **bytes, size_t *available)
{
    *bytes = wm_op_arena_reserve(log->table.arena, size, available);
    return *bytes ? WM_OK : WM_ENOMEM;
}

uint32_t wm_oplog_commit(wm_oplog *log, uint32_t template, size_t len, size_t key_len)
{
    wm_op_table *t = &log->table;
    uint32_t index = wm_op_table_take(t);
    if (index == WM_NO_OP) return WM_NO_OP;
    if (log->store != NULL && !wm_op_store_recorded(log->store, index, t->last_seq + 1)) {
        wm_op_table_give_back(t, index);
        return WM_NO_OP;
    }
    wm_op_table_keep(t, index, template, len, key_len, t->last_seq + 1);
    return index;
}

uint32_t wm_oplog_template(wm_oplog *log, bool remove, const char *map_name, size_t map_len, const char *client_id)
{
    return wm_op_templates_get(&log->table.templates, remove, map_name, map_len, client_id, strlen(client_id));
}

const char *wm_oplog_map_of(const wm_oplog *log, uint32_t template, size_t *len)
{
    const wm_op_template *t = &log->table.templates.all[template];
    *len = t->map_name_len;
    return (const char *)t->bytes + t->map_name_at;
}

size_t wm_oplog_shared_len(const wm_oplog *log, uint32_t template)
{
    return wm_op_shared_len(&log->table.templates.all[template]);
}

uint8_t *wm_oplog_write(const wm_oplog *log, const wm_op *op, uint8_t *out)
{
    return wm_op_table_write(&log->table, op, out);
}

wm_op_view wm_oplog_read(const wm_oplog *log, const wm_op *op)
{
    wm_op_view view;
    wm_op_read_kept(&log->table.templates.all[op->template], op->span.bytes, op->span.len, op->key_len, &view);
    return view;
}

wm_op *wm_oplog_at(wm_oplog *log, uint32_t index)
{
    return &log->table.ops[index];
}

uint32_t *wm_oplog_next(wm_oplog *log, uint32_t index)
{
    return &log->table.next[index];
}

bool wm_oplog_reaches_back(const wm_oplog *log, uint32_t seq)
{
    return wm_op_table_reaches_back(&log->table, seq);
}

void wm_oplog_follow(wm_oplog *log, uint32_t before, uint32_t before_seq, uint32_t op, uint32_t op_seq)
{
    wm_op_table_follow(&log->table, before, before_seq, op, op_seq);
}

uint32_t wm_oplog_before(const wm_oplog *log, uint32_t index)
{
    return log->table.chain[index].before;
}

void wm_oplog_settle(wm_oplog *log, uint32_t index)
{
    if (log->store != NULL) wm_op_store_settled(log->store, &log->table.ops[index]);
    wm_op_table_remove(&log->table, index);
}

uint32_t wm_oplog_count(const wm_oplog *log)
{
    return log->table.count;
}

size_t wm_oplog_bytes(const wm_oplog *log)
{
    return log->table.bytes;
}

uint32_t wm_oplog_end(const wm_oplog *log)
{
    return log->table.end;
}

uint64_t wm_oplog_last_seq(const wm_oplog *log)
{
    return log->table.last_seq;
}

size_t wm_oplog_footprint(const wm_oplog *log)
{
    return wm_op_arena_footprint(log->table.arena);
}

/* -- the file -------------------------------------------------------------------------- */

bool wm_oplog_open(wm_oplog *log, const char *path, const char *client_id, bool sync, wm_log_error *e)
{
    log->store = wm_op_store_open(path, sync, e);
    if (log->store == NULL || !wm_op_store_load(log->store, &log->table, e)) return false;
    if (wm_op_store_last_seq(log->store) > log->table.last_seq) log->table.last_seq = wm_op_store_last_seq(log->store);
    return wm_op_store_client_id(log->store)[0] != 0 || wm_op_store_set_client_id(log->store, client_id, e);
}

const char *wm_oplog_client_id(const wm_oplog *log)
{
    return log->store == NULL ? "" : wm_op_store_client_id(log->store);
}

int wm_oplog_sync(wm_oplog *log)
{
    if (log->store == NULL || (!log->store_failed && !wm_op_store_is_dirty(log->store))) return WM_OK;
    log->store_failed = !wm_op_store_commit(log->store, &log->table, &log->store_error);
    return log->store_failed ? WM_EDISK : WM_OK;
}

void wm_oplog_retain_bytes(wm_oplog *log, size_t bytes)
{
    if (log->store != NULL) wm_op_store_retain_bytes(log->store, bytes);
}

bool wm_oplog_retains(const wm_oplog *log)
{
    return log->store != NULL;
}

void wm_oplog_retain(wm_oplog *log, uint32_t index, uint64_t now_us)
{
    if (log->store != NULL) wm_op_store_retain(log->store, &log->table, &log->table.ops[index], now_us);
}

void wm_oplog_release(wm_oplog *log, uint64_t before_us)
{
    if (log->store != NULL) wm_op_store_release(log->store, before_us);
}

int wm_oplog_lacks_memory(wm_oplog *log)
{
    wm_log_fail_io(&log->store_error, ENOMEM);
    log->store_failed = true;
    return WM_EDISK;
}

int wm_oplog_check_file(wm_oplog *log)
{
    if (log->store == NULL || wm_op_store_is_in_place(log->store, &log->store_error)) return WM_OK;
    log->store_failed = true;
    return WM_EDISK;
}

const wm_log_error *wm_oplog_error(const wm_oplog *log)
{
    static const wm_log_error none;
    return log->store_failed ? &log->store_error : &none;
}

bool wm_oplog_put_letter(wm_oplog *log, uint64_t seq, const uint8_t *bytes, uint32_t len)
{
    return log->store == NULL || wm_op_store_put_letter(log->store, seq, bytes, len);
}

bool wm_oplog_drop_letter(wm_oplog *log, uint64_t seq)
{
    return log->store == NULL || wm_op_store_drop_letter(log->store, seq);
}

void wm_oplog_letters(const wm_oplog *log,
                      void (*visit)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len), void *user)
{
    if (log->store != NULL) wm_op_store_letters(log->store, visit, user);
}
