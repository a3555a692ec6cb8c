#include "oplog/op_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (256u * 1024u)
#define FIRST_OPS 1024u
/* A cache line, which an operation fills. */
#define OP_ALIGN 64u
_Static_assert(sizeof(wm_op) == OP_ALIGN, "an operation is one cache line");
/* A look for half-empty chunks once in so many settled operations. */
#define COMPACT_EVERY 65536u

static bool grow(wm_op_table *t, uint32_t cap)
{
    wm_op *ops = aligned_alloc(OP_ALIGN, (size_t)cap * sizeof *ops);
    uint32_t *next = realloc(t->next, cap * sizeof *next);
    wm_op_neighbours *chain = realloc(t->chain, cap * sizeof *chain);
    if (next != NULL) t->next = next;
    if (chain != NULL) t->chain = chain;
    if (ops == NULL || next == NULL || chain == NULL) {
        free(ops);
        return false;
    }
    if (t->ops != NULL) memcpy(ops, t->ops, (size_t)t->cap * sizeof *ops);
    memset(ops + t->cap, 0, (size_t)(cap - t->cap) * sizeof *ops);
    free(t->ops);
    t->ops = ops;
    t->cap = cap;
    return true;
}

bool wm_op_table_init(wm_op_table *t)
{
    *t = (wm_op_table){
        .arena = wm_op_arena_new(CHUNK_BYTES),
        .end = 1, /* index 0 is WM_NO_OP */
        .until_compact = COMPACT_EVERY,
    };
    return t->arena != NULL && grow(t, FIRST_OPS);
}

void wm_op_table_close(wm_op_table *t)
{
    wm_op_arena_free(t->arena);
    wm_op_templates_close(&t->templates);
    free(t->ops);
    free(t->next);
    free(t->chain);
}

uint32_t wm_op_table_take(wm_op_table *t)
{
    if (t->free_ops != WM_NO_OP) {
        uint32_t index = t->free_ops;
        t->free_ops = t->next[index];
        __builtin_prefetch(&t->ops[t->free_ops], 1); /* the next operation's */
        __builtin_prefetch(&t->next[t->free_ops], 1);
        return index;
    }
    if (t->end == t->cap && !grow(t, t->cap * 2)) return WM_NO_OP;
    return t->end++;
}

void wm_op_table_keep(wm_op_table *t, uint32_t index, uint32_t template, size_t len, size_t key_len, uint64_t seq)
{
    uint32_t sent = (uint32_t)(len + wm_op_shared_len(&t->templates.all[template]));
    t->ops[index] = (wm_op){
        .span = wm_op_arena_commit(t->arena, (uint32_t)len, index),
        .seq = seq,
        .len = sent,
        .template = template,
        .key_len = (uint16_t)key_len,
        .state = WM_OP_PENDING,
    };
    t->count++;
    t->bytes += sent;
    if (seq > t->last_seq) t->last_seq = seq;
    wm_seq_window_add(&t->unsettled, seq);
}

void wm_op_table_give_back(wm_op_table *t, uint32_t index)
{
    t->ops[index].state = WM_OP_FREE;
    t->next[index] = t->free_ops;
    t->free_ops = index;
}

uint8_t *wm_op_table_write(const wm_op_table *t, const wm_op *op, uint8_t *out)
{
    return wm_op_write(&t->templates.all[op->template], out, op->span.bytes, op->span.len, op->key_len);
}

/* -- the operations of a key -------------------------------------------------------------- */

bool wm_op_table_reaches_back(const wm_op_table *t, uint32_t seq)
{
    return (uint32_t)t->last_seq - seq <= t->last_seq - wm_seq_window_oldest(&t->unsettled);
}

static bool is_still(const wm_op_table *t, uint32_t index, uint32_t seq)
{
    const wm_op *op = &t->ops[index];
    return op->state != WM_OP_FREE && (uint32_t)op->seq == seq;
}

void wm_op_table_follow(wm_op_table *t, uint32_t before, uint32_t before_seq, uint32_t op, uint32_t op_seq)
{
    if (!is_still(t, before, before_seq) || !is_still(t, op, op_seq) || t->ops[op].follows) return;
    while (t->ops[before].is_followed) before = t->chain[before].behind;
    if (before == op) return;
    t->chain[before].behind = op;
    t->chain[op].before = before;
    t->ops[before].is_followed = t->ops[op].follows = true;
}

static void leave_chain(wm_op_table *t, uint32_t index)
{
    const wm_op *op = &t->ops[index];
    const wm_op_neighbours *link = &t->chain[index];
    if (op->is_followed) t->ops[link->behind].follows = op->follows;
    if (op->follows) t->ops[link->before].is_followed = op->is_followed;
    if (!op->follows || !op->is_followed) return;
    t->chain[link->before].behind = link->behind;
    t->chain[link->behind].before = link->before;
}

/* -- removing ------------------------------------------------------------------------------ */

static wm_op_span *span_of(void *user, uint32_t owner)
{
    wm_op_table *t = user;
    wm_op *op = &t->ops[owner];
    return op->state == WM_OP_FREE ? NULL : &op->span;
}

void wm_op_table_remove(wm_op_table *t, uint32_t index)
{
    wm_op *op = &t->ops[index];
    t->count--;
    t->bytes -= op->len;
    wm_seq_window_remove(&t->unsettled, op->seq);
    if (op->follows || op->is_followed) leave_chain(t, index);
    wm_op_arena_release(t->arena, &op->span);
    wm_op_table_give_back(t, index);
    if (--t->until_compact == 0) {
        t->until_compact = COMPACT_EVERY;
        wm_op_arena_compact(t->arena, span_of, t);
    }
}

/* -- from the file ------------------------------------------------------------------------- */

static bool no_operation(uint64_t seq, wm_log_error *e)
{
    return wm_log_fail(e, WM_LOG_DAMAGED, "its operation %llu is invalid", (unsigned long long)seq);
}

/* Keeps the bytes of an operation as it is sent; false with the reason when there is not the
 * memory, or when their parts do not lie where wm_op_write puts them. */
static bool keep_sent(wm_op_table *t, uint32_t index, uint64_t seq, const uint8_t *bytes, size_t len, wm_log_error *e)
{
    wm_op_view view;
    if (!wm_op_decode(bytes, len, &view) || view.key_len == 0 || view.key_len > WM_OP_KEY_MAX) return no_operation(seq, e);
    const wm_timestamp *time = &view.time;
    if (time->millis > WM_HLC_MAX || time->counter > UINT32_MAX) return no_operation(seq, e);
    uint32_t template = wm_op_templates_get(&t->templates, view.removed, view.map_name, view.map_len, time->node,
                                            time->node_len);
    if (template == WM_NO_TEMPLATE) return wm_log_fail_io(e, ENOMEM);
    size_t available, head = wm_op_kept_head(view.key_len), kept = head + view.value_len;
    uint8_t *to = wm_op_arena_reserve(t->arena, kept, &available);
    if (to == NULL) return wm_log_fail_io(e, ENOMEM);
    bool is_ours = (const uint8_t *)view.key == bytes + wm_op_key_at(view.key_len) &&
                   view.value + view.value_len == bytes + len &&
                   kept + wm_op_shared_len(&t->templates.all[template]) == len;
    if (!is_ours) return no_operation(seq, e);
    wm_op_keep_head(to, bytes, view.key, view.key_len, &(wm_hlc){time->millis, time->counter});
    memcpy(to + head, view.value, view.value_len);
    wm_op_table_keep(t, index, template, kept, view.key_len, seq);
    return true;
}

uint32_t wm_op_table_add_sent(wm_op_table *t, uint64_t seq, const uint8_t *bytes, size_t len, wm_log_error *e)
{
    uint32_t index = wm_op_table_take(t);
    if (index == WM_NO_OP) {
        wm_log_fail_io(e, ENOMEM);
        return WM_NO_OP;
    }
    if (keep_sent(t, index, seq, bytes, len, e)) return index;
    wm_op_table_give_back(t, index);
    return WM_NO_OP;
}
