#ifndef WM_OP_TABLE_H
#define WM_OP_TABLE_H
#include <stddef.h>

#include "oplog/file/log_error.h"
#include "oplog/op.h"
#include "oplog/seq_window.h"
#include "wire/op_decoding.h"
#include "wire/op_template.h"

/* The operations of the op log in memory, with their bytes (those that are not in the template,
 * op_encoding.h), and the order of the operations of each key. Limits and file are the op log's. */

/* The next older and the next newer operation of the same key. */
typedef struct wm_op_neighbours {
    uint32_t before, behind;
} wm_op_neighbours;

typedef struct wm_op_table {
    wm_op *ops;              /* aligned to cache lines */
    uint32_t *next;          /* links of the queues and of the free operations */
    wm_op_neighbours *chain; /* valid where op->follows and op->is_followed are set */
    wm_op_arena *arena;
    wm_op_templates templates;
    wm_seq_window unsettled;
    uint32_t end; /* first index never used */
    uint32_t cap;
    uint32_t free_ops;      /* the first free operation, from which `next` leads on; WM_NO_OP: none */
    uint32_t count;         /* operations in the table */
    size_t bytes;           /* of these, as they are sent */
    uint64_t last_seq;      /* the highest seq so far */
    uint32_t until_compact; /* operations to remove before the arena is compacted */
} wm_op_table;

/* False when out of memory; wm_op_table_close either way. */
bool wm_op_table_init(wm_op_table *t);
void wm_op_table_close(wm_op_table *t);
/* The index of a free operation; WM_NO_OP when out of memory. Call wm_op_table_keep or _give_back next. */
uint32_t wm_op_table_take(wm_op_table *t);
/* Returns an index from wm_op_table_take that was not used. */
void wm_op_table_give_back(wm_op_table *t, uint32_t index);
/* Makes a pending operation of the first `len` bytes that were reserved in the arena. */
void wm_op_table_keep(wm_op_table *t, uint32_t index, uint32_t template, size_t len, size_t key_len, uint64_t seq);
/* Adds an operation from its bytes as sent, which are copied. Returns its index; WM_NO_OP with the
 * reason in `e` when out of memory, or when the bytes are no operation as wm_op_write writes it. */
uint32_t wm_op_table_add_sent(wm_op_table *t, uint64_t seq, const uint8_t *bytes, size_t len, wm_log_error *e);
/* Removes an operation. The one that followed it follows the one before it, if there is one. */
void wm_op_table_remove(wm_op_table *t, uint32_t index);

/* Valid until the next wm_op_table_take. */
static inline wm_op *wm_op_table_at(const wm_op_table *t, uint32_t index)
{
    return &t->ops[index];
}

/* Writes an operation as sent, op->len bytes, and returns the end. */
uint8_t *wm_op_table_write(const wm_op_table *t, const wm_op *op, uint8_t *out);

/* See wm_oplog_reaches_back, wm_oplog_follow. */
bool wm_op_table_reaches_back(const wm_op_table *t, uint32_t seq);
void wm_op_table_follow(wm_op_table *t, uint32_t before, uint32_t before_seq, uint32_t op, uint32_t op_seq);
#endif
