#include "oplog/oplog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "oplog/op_store.h"
#include "oplog/seq_window.h"

#define CHUNK_BYTES (256u * 1024u)
#define FIRST_OPS 1024u
/* A cache line, which an operation fills. */
#define OP_ALIGN 64u
_Static_assert(sizeof(wm_op) == OP_ALIGN, "an operation is one cache line");
/* A look for half-empty chunks once in so many settled operations. */
#define COMPACT_EVERY 65536u

/* Which operations of its key an operation stands between. */
typedef struct chain_link {
    uint32_t before, behind;
} chain_link;

struct wm_oplog {
    wm_oplog_limits limits;
    wm_op_arena *arena;
    wm_op_forms forms;
    wm_op *ops;     /* aligned to cache lines */
    uint32_t *next; /* links of the queues and of the free operations */
    chain_link *chain; /* as far as op->follows and op->is_followed say */
    wm_unsettled_seqs unsettled;
    uint32_t end; /* first index never used */
    uint32_t cap;
    uint32_t free_ops;
    uint32_t count;
    size_t bytes;
    uint64_t last_seq;
    uint32_t until_compact;
    wm_op_store *store; /* NULL: in memory only */
    bool store_failed;
    wm_log_error store_error; /* why, while it failed */
};

static bool grow(wm_oplog *log, uint32_t cap)
{
    wm_op *ops = aligned_alloc(OP_ALIGN, (size_t)cap * sizeof *ops);
    uint32_t *next = realloc(log->next, cap * sizeof *next);
    chain_link *chain = realloc(log->chain, cap * sizeof *chain);
    if (next != NULL) log->next = next;
    if (chain != NULL) log->chain = chain;
    if (ops == NULL || next == NULL || chain == NULL) {
        free(ops);
        return false;
    }
    if (log->ops != NULL) memcpy(ops, log->ops, (size_t)log->cap * sizeof *ops);
    memset(ops + log->cap, 0, (size_t)(cap - log->cap) * sizeof *ops);
    free(log->ops);
    log->ops = ops;
    log->cap = cap;
    return true;
}

wm_oplog *wm_oplog_new(wm_oplog_limits limits)
{
    wm_oplog *log = calloc(1, sizeof *log);
    if (log == NULL) return NULL;
    log->limits = limits;
    log->arena = wm_op_arena_new(CHUNK_BYTES);
    log->end = 1; /* index 0 is WM_NO_OP */
    log->until_compact = COMPACT_EVERY;
    if (log->arena == NULL || !grow(log, FIRST_OPS)) {
        wm_oplog_free(log);
        return NULL;
    }
    return log;
}

void wm_oplog_free(wm_oplog *log)
{
    if (log == NULL) return;
    wm_op_store_close(log->store);
    wm_op_arena_free(log->arena);
    wm_op_forms_close(&log->forms);
    free(log->ops);
    free(log->next);
    free(log->chain);
    free(log);
}

bool wm_oplog_is_full(const wm_oplog *log)
{
    return log->store_failed || wm_oplog_would_fill(log, log->count, log->bytes);
}

bool wm_oplog_would_fill(const wm_oplog *log, uint32_t ops, size_t bytes)
{
    return ops >= log->limits.max_ops || bytes >= log->limits.max_bytes;
}

int wm_oplog_reserve(wm_oplog *log, size_t size, uint8_t **bytes, size_t *available)
{
    if (wm_oplog_is_full(log)) return WM_EFULL;
    *bytes = wm_op_arena_reserve(log->arena, size, available);
    return *bytes ? WM_OK : WM_ENOMEM;
}

static uint32_t take_slot(wm_oplog *log)
{
    if (log->free_ops != WM_NO_OP) {
        uint32_t index = log->free_ops;
        log->free_ops = log->next[index];
        __builtin_prefetch(&log->ops[log->free_ops], 1); /* the next operation's */
        __builtin_prefetch(&log->next[log->free_ops], 1);
        return index;
    }
    if (log->end == log->cap && !grow(log, log->cap * 2)) return WM_NO_OP;
    return log->end++;
}

/* Makes the bytes at the reserved place an operation. */
static void keep(wm_oplog *log, uint32_t index, uint32_t form, size_t len, size_t key_len, uint64_t seq)
{
    uint32_t sent = (uint32_t)(len + wm_op_shared_len(&log->forms.all[form]));
    log->ops[index] = (wm_op){
        .span = wm_op_arena_commit(log->arena, (uint32_t)len, index),
        .seq = seq,
        .len = sent,
        .form = form,
        .key_len = (uint16_t)key_len,
        .state = WM_OP_PENDING,
    };
    log->count++;
    log->bytes += sent;
    if (seq > log->last_seq) log->last_seq = seq;
    wm_unsettled_seqs_add(&log->unsettled, seq);
}

static void give_back_slot(wm_oplog *log, uint32_t index)
{
    log->ops[index].state = WM_OP_FREE;
    log->next[index] = log->free_ops;
    log->free_ops = index;
}

uint32_t wm_oplog_commit(wm_oplog *log, uint32_t form, size_t len, size_t key_len)
{
    uint32_t index = take_slot(log);
    if (index == WM_NO_OP) return WM_NO_OP;
    if (log->store != NULL && !wm_op_store_recorded(log->store, index, log->last_seq + 1)) {
        give_back_slot(log, index);
        return WM_NO_OP;
    }
    keep(log, index, form, len, key_len, log->last_seq + 1);
    return index;
}

uint32_t wm_oplog_form(wm_oplog *log, bool remove, const char *map_name, size_t map_len, const char *node_id)
{
    return wm_op_forms_get(&log->forms, remove, map_name, map_len, node_id, strlen(node_id));
}

const char *wm_oplog_map_of(const wm_oplog *log, uint32_t form, size_t *len)
{
    const wm_op_form *f = &log->forms.all[form];
    *len = f->map_name_len;
    return (const char *)f->bytes + f->map_name_at;
}

size_t wm_oplog_shared_len(const wm_oplog *log, uint32_t form)
{
    return wm_op_shared_len(&log->forms.all[form]);
}

uint8_t *wm_oplog_write(const wm_oplog *log, const wm_op *op, uint8_t *out)
{
    return wm_op_write(&log->forms.all[op->form], out, op->span.bytes, op->span.len, op->key_len);
}

wm_op_view wm_oplog_read(const wm_oplog *log, const wm_op *op)
{
    wm_op_view view;
    wm_op_read_kept(&log->forms.all[op->form], op->span.bytes, op->span.len, op->key_len, &view);
    return view;
}

wm_op *wm_oplog_at(wm_oplog *log, uint32_t index)
{
    return &log->ops[index];
}

uint32_t *wm_oplog_next(wm_oplog *log, uint32_t index)
{
    return &log->next[index];
}

/* -- the operations of a key -------------------------------------------------------------- */

bool wm_oplog_reaches_back(const wm_oplog *log, uint32_t seq)
{
    return (uint32_t)log->last_seq - seq <= log->last_seq - wm_unsettled_seqs_oldest(&log->unsettled);
}

static bool is_still(const wm_oplog *log, uint32_t index, uint32_t seq)
{
    const wm_op *op = &log->ops[index];
    return op->state != WM_OP_FREE && (uint32_t)op->seq == seq;
}

void wm_oplog_follow(wm_oplog *log, uint32_t before, uint32_t before_seq, uint32_t op, uint32_t op_seq)
{
    if (!is_still(log, before, before_seq) || !is_still(log, op, op_seq) || log->ops[op].follows) return;
    while (log->ops[before].is_followed) before = log->chain[before].behind;
    if (before == op) return;
    log->chain[before].behind = op;
    log->chain[op].before = before;
    log->ops[before].is_followed = log->ops[op].follows = true;
}

uint32_t wm_oplog_before(const wm_oplog *log, uint32_t index)
{
    return log->chain[index].before;
}

static void leave_chain(wm_oplog *log, uint32_t index)
{
    const wm_op *op = &log->ops[index];
    const chain_link *link = &log->chain[index];
    if (op->is_followed) log->ops[link->behind].follows = op->follows;
    if (op->follows) log->ops[link->before].is_followed = op->is_followed;
    if (!op->follows || !op->is_followed) return;
    log->chain[link->before].behind = link->behind;
    log->chain[link->behind].before = link->before;
}

/* -- settling ------------------------------------------------------------------------------- */

static wm_op_span *span_of(void *user, uint32_t owner)
{
    wm_oplog *log = user;
    wm_op *op = &log->ops[owner];
    return op->state == WM_OP_FREE ? NULL : &op->span;
}

void wm_oplog_settle(wm_oplog *log, uint32_t index)
{
    wm_op *op = &log->ops[index];
    log->count--;
    log->bytes -= op->len;
    wm_unsettled_seqs_remove(&log->unsettled, op->seq);
    if (op->follows || op->is_followed) leave_chain(log, index);
    if (log->store != NULL) wm_op_store_settled(log->store, op);
    wm_op_arena_release(log->arena, &op->span);
    give_back_slot(log, index);
    if (--log->until_compact == 0) {
        log->until_compact = COMPACT_EVERY;
        wm_op_arena_compact(log->arena, span_of, log);
    }
}

uint32_t wm_oplog_count(const wm_oplog *log)
{
    return log->count;
}

size_t wm_oplog_bytes(const wm_oplog *log)
{
    return log->bytes;
}

uint32_t wm_oplog_end(const wm_oplog *log)
{
    return log->end;
}

uint64_t wm_oplog_last_seq(const wm_oplog *log)
{
    return log->last_seq;
}

size_t wm_oplog_footprint(const wm_oplog *log)
{
    return wm_op_arena_footprint(log->arena);
}

/* -- the file -------------------------------------------------------------------------- */

static bool no_operation(uint64_t seq, wm_log_error *e)
{
    return wm_log_fail(e, WM_LOG_DAMAGED, "what it has as operation %llu is none", (unsigned long long)seq);
}

/* Keeps the bytes of an operation as it is sent; false with the reason when there is not the
 * memory, or when their parts do not lie where wm_op_write puts them. */
static bool keep_sent(wm_oplog *log, uint32_t index, uint64_t seq, const uint8_t *bytes, size_t len, wm_log_error *e)
{
    wm_op_view view;
    if (!wm_op_decode(bytes, len, &view) || view.key_len == 0 || view.key_len > WM_OP_KEY_MAX) return no_operation(seq, e);
    const wm_timestamp *time = &view.time;
    if (time->millis > WM_HLC_MAX || time->counter > UINT32_MAX) return no_operation(seq, e);
    uint32_t form = wm_op_forms_get(&log->forms, view.removed, view.map_name, view.map_len, time->node, time->node_len);
    if (form == WM_NO_FORM) return wm_log_fail_io(e, ENOMEM);
    size_t available, head = wm_op_kept_head(view.key_len), kept = head + view.value_len;
    uint8_t *to = wm_op_arena_reserve(log->arena, kept, &available);
    if (to == NULL) return wm_log_fail_io(e, ENOMEM);
    bool is_ours = (const uint8_t *)view.key == bytes + wm_op_key_at(view.key_len) &&
                   view.value + view.value_len == bytes + len && kept + wm_op_shared_len(&log->forms.all[form]) == len;
    if (!is_ours) return no_operation(seq, e);
    wm_op_keep_head(to, bytes, view.key, view.key_len, &(wm_hlc){time->millis, time->counter});
    memcpy(to + head, view.value, view.value_len);
    keep(log, index, form, kept, view.key_len, seq);
    return true;
}

static uint32_t add_loaded(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len, wm_log_error *e)
{
    wm_oplog *log = user;
    uint32_t index = take_slot(log);
    if (index == WM_NO_OP) {
        wm_log_fail_io(e, ENOMEM);
        return WM_NO_OP;
    }
    if (keep_sent(log, index, seq, bytes, len, e)) return index;
    give_back_slot(log, index);
    return WM_NO_OP;
}

bool wm_oplog_open(wm_oplog *log, const char *path, const char *node_id, bool sync, wm_log_error *e)
{
    log->store = wm_op_store_open(path, sync, e);
    if (log->store == NULL || !wm_op_store_load(log->store, log, add_loaded, log, e)) return false;
    if (wm_op_store_last_seq(log->store) > log->last_seq) log->last_seq = wm_op_store_last_seq(log->store);
    return wm_op_store_node_id(log->store)[0] != 0 || wm_op_store_set_node_id(log->store, node_id, e);
}

const char *wm_oplog_node_id(const wm_oplog *log)
{
    return log->store == NULL ? "" : wm_op_store_node_id(log->store);
}

int wm_oplog_sync(wm_oplog *log)
{
    if (log->store == NULL || (!log->store_failed && !wm_op_store_is_dirty(log->store))) return WM_OK;
    log->store_failed = !wm_op_store_commit(log->store, log, &log->store_error);
    return log->store_failed ? WM_EDISK : WM_OK;
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
