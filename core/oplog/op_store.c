#include "oplog/op_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "oplog/file/entry_writer.h"
#include "oplog/file/op_tally.h"
#include "oplog/file/seq_list.h"
#include "oplog/retained_ops.h"

/* A file is written anew when it is so many times as large as what is left in it, and larger
 * than this by itself. */
#define SPARSE 3u
#ifndef WM_STORE_SPARSE_MIN /* smaller in a fuzzer, which does not write so much */
#define WM_STORE_SPARSE_MIN ((uint64_t)4 << 20)
#endif
/* How much of that a commit does: so many times what it wrote, and no less than this. The file
 * grows by a half of what is left, at most, until it is done. */
#define COPY_RATIO 2u
#ifndef WM_STORE_COPY_MIN
#define WM_STORE_COPY_MIN (64u * 1024u)
#endif

/* Of a file that was written anew a commit gives so much space back. */
#define SHRINK_BYTES ((uint64_t)512 << 10)
/* A restart writes again no more than this part of what the file has. */
#define RESTART_SPARSE 8u
/* So many settled operations may be in the list of those in the file. */
#define OPS_SPARE 1024u

/* The place of an operation in the log, as long as an unsettled one with this seq is there. */
typedef struct stored_op {
    uint64_t seq;
    uint32_t index;
} stored_op;

typedef struct dead_letter {
    uint64_t seq;
    uint8_t *bytes;
    uint32_t len;
    uint32_t file_version; /* as wm_op.file_version; 0: not in the file yet */
} dead_letter;

struct wm_op_store {
    wm_log_file *file;
    wm_log_file *old;      /* whose place `file` took, while its space is given back; NULL else */
    wm_log_file *next;     /* that is to take the place of `file`; NULL when none is being written */
    uint32_t file_version; /* the number of the last file that was begun; wm_op.file_version says which has it */
    size_t cursor;         /* of `ops`, so many were copied to `next` */
    bool write_anew;       /* the file is of no use any more */
    bool looks_closely;    /* there was another one in its place */
    uint64_t sparse_from;  /* no new one is begun below this size: the last try failed */
    wm_buffer frame;
    stored_op *ops; /* those in the file, some of them settled by now; then those that are to come into it */
    size_t op_count, op_cap, in_file;
    wm_retained_ops retained; /* in the file, and settled otherwise */
    /* What the next commit writes: */
    wm_seq_list settled, dropped; /* operations that left the log, and dead letters */
    wm_seq_list acknowledged;     /* operations that left the log, and are retained */
    dead_letter *letters;
    size_t letter_count, letter_cap, fresh_letters;
    uint32_t live_ops;   /* in the file */
    uint64_t live_bytes; /* of operations and dead letters in the file */
    uint64_t last_seq;
    char client_id[WM_OP_TALLY_ID_MAX + 1];
};

/* -- opening and closing ------------------------------------------------------------------- */

wm_op_store *wm_op_store_open(const char *path, bool sync, wm_log_error *e)
{
    wm_op_store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        wm_log_fail_io(e, ENOMEM);
        return NULL;
    }
    s->file_version = 1;
    wm_buffer_init(&s->frame);
    s->file = wm_log_file_open(path, WM_OP_LOG_KIND, sync, e);
    if (s->file != NULL) return s;
    wm_op_store_close(s);
    return NULL;
}

void wm_op_store_close(wm_op_store *s)
{
    if (s == NULL) return;
    wm_log_file_close(s->next);
    wm_log_file_close(s->old);
    wm_log_file_close(s->file);
    for (size_t i = 0; i < s->letter_count; i++) free(s->letters[i].bytes);
    free(s->letters);
    free(s->settled.seqs);
    free(s->acknowledged.seqs);
    free(s->dropped.seqs);
    free(s->ops);
    wm_retained_ops_close(&s->retained);
    wm_buffer_close(&s->frame);
    free(s);
}

const char *wm_op_store_client_id(const wm_op_store *s)
{
    return s->client_id;
}

uint64_t wm_op_store_last_seq(const wm_op_store *s)
{
    return s->last_seq;
}

bool wm_op_store_is_dirty(const wm_op_store *s)
{
    return s->op_count > s->in_file || s->settled.count > 0 || s->acknowledged.count > 0 || s->dropped.count > 0 ||
           s->fresh_letters > 0;
}

/* -- dead letters -------------------------------------------------------------------------- */

bool wm_op_store_put_letter(wm_op_store *s, uint64_t seq, const uint8_t *bytes, uint32_t len)
{
    if (s->letter_count == s->letter_cap) {
        size_t cap = s->letter_cap ? s->letter_cap * 2 : 16;
        dead_letter *grown = realloc(s->letters, cap * sizeof *grown);
        if (grown == NULL) return false;
        s->letters = grown;
        s->letter_cap = cap;
    }
    /* So that every one of them can be dropped without more memory. */
    if (!wm_seq_list_reserve(&s->dropped, s->dropped.count + s->letter_count + 1)) return false;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL) return false;
    if (len > 0) memcpy(copy, bytes, len);
    s->letters[s->letter_count++] = (dead_letter){seq, copy, len, 0};
    s->fresh_letters++;
    return true;
}

bool wm_op_store_drop_letter(wm_op_store *s, uint64_t seq)
{
    size_t at = 0;
    while (at < s->letter_count && s->letters[at].seq != seq) at++;
    if (at == s->letter_count) return false;
    dead_letter *letter = &s->letters[at];
    if (letter->file_version != 0) {
        s->dropped.seqs[s->dropped.count++] = seq;
        s->live_bytes -= letter->len + WM_OP_ENTRY_HEAD;
    } else {
        s->fresh_letters--;
    }
    free(letter->bytes);
    memmove(letter, letter + 1, (--s->letter_count - at) * sizeof *letter);
    return true;
}

void wm_op_store_letters(const wm_op_store *s,
                         void (*visit)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len), void *user)
{
    for (size_t i = 0; i < s->letter_count; i++)
        visit(user, s->letters[i].seq, s->letters[i].bytes, s->letters[i].len);
}

/* -- loading ------------------------------------------------------------------------------- */

typedef struct loader {
    wm_op_store *store;
    wm_op_table *table;
    wm_op_tally tally;
    wm_log_error *error;
} loader;

static bool count_frame(void *user, const uint8_t *payload, size_t len)
{
    loader *l = user;
    return wm_op_tally_add(&l->tally, payload, len, l->error);
}

static bool load_operation(loader *l, const wm_op_entry *entry)
{
    wm_op_store *s = l->store;
    uint32_t index = wm_op_table_add_sent(l->table, entry->seq, entry->bytes, entry->len, l->error);
    if (index == WM_NO_OP) return false;
    wm_op *op = wm_op_table_at(l->table, index);
    op->file_version = s->file_version;
    op->is_acknowledged = wm_op_tally_is_acknowledged(&l->tally, entry->seq);
    s->ops[s->op_count++] = (stored_op){entry->seq, index};
    s->live_ops++;
    s->live_bytes += entry->len + WM_OP_ENTRY_HEAD;
    return true;
}

static bool make_room_for(wm_op_store *s, uint32_t ops)
{
    s->ops = malloc((ops + 1u) * sizeof *s->ops);
    s->op_cap = ops + 1u;
    return s->ops != NULL && wm_seq_list_reserve(&s->settled, ops) && wm_seq_list_reserve(&s->acknowledged, ops);
}

static bool load_letter(loader *l, const wm_op_entry *entry)
{
    wm_op_store *s = l->store;
    if (!wm_op_store_put_letter(s, entry->seq, entry->bytes, entry->len)) return wm_log_fail_io(l->error, ENOMEM);
    s->fresh_letters--;
    s->letters[s->letter_count - 1].file_version = s->file_version;
    s->live_bytes += entry->len + WM_OP_ENTRY_HEAD;
    return true;
}

static bool load_frame(void *user, const uint8_t *payload, size_t len)
{
    loader *l = user;
    const uint8_t *at = payload;
    wm_op_entry entry;
    bool ok = true;
    while (ok && wm_op_entry_next(&at, payload + len, &entry)) {
        bool is_op = entry.kind == WM_ENTRY_OPERATION;
        if (!is_op && entry.kind != WM_ENTRY_LETTER) continue;
        if (!wm_op_tally_is_live(&l->tally, &entry)) continue;
        ok = is_op ? load_operation(l, &entry) : load_letter(l, &entry);
    }
    return ok;
}

/* The last commit said how many there are. */
static bool agrees(const wm_op_store *s, const wm_op_tally *t, wm_log_error *e)
{
    wm_op_counts counts = wm_op_counts_read(wm_log_file_counts(s->file));
    uint64_t operations = (uint64_t)counts.pending + counts.acknowledged;
    if (operations == t->operations.live_count && counts.letters == t->letters.live_count) return true;
    return wm_log_fail(e, WM_LOG_DAMAGED, "it has %u operations and %u dead letters, but its last commit counts %llu and %u",
                       t->operations.live_count, t->letters.live_count, (unsigned long long)operations, counts.letters);
}

bool wm_op_store_load(wm_op_store *s, wm_op_table *table, wm_log_error *e)
{
    loader l = {.store = s, .table = table, .error = e};
    bool ok = wm_log_file_read(s->file, count_frame, &l, e) && wm_op_tally_finish(&l.tally, e) &&
              agrees(s, &l.tally, e) &&
              (make_room_for(s, l.tally.operations.live_count) || wm_log_fail_io(e, ENOMEM)) &&
              wm_log_file_read(s->file, load_frame, &l, e);
    s->in_file = s->op_count;
    s->last_seq = l.tally.last_seq;
    memcpy(s->client_id, l.tally.id, l.tally.id_len + 1u);
    wm_op_tally_close(&l.tally);
    return ok;
}

/* -- what happens between commits ---------------------------------------------------------- */

bool wm_op_store_recorded(wm_op_store *s, uint32_t index, uint64_t seq)
{
    if (s->op_count == s->op_cap) {
        size_t cap = s->op_cap ? s->op_cap * 2 : 1024;
        stored_op *grown = realloc(s->ops, cap * sizeof *grown);
        if (grown == NULL) return false;
        s->ops = grown;
        s->op_cap = cap;
    }
    /* So that every one of them can be settled without more memory. */
    size_t all = s->live_ops + s->retained.count + (s->op_count - s->in_file) + 1;
    if (!wm_seq_list_reserve(&s->settled, s->settled.count + all)) return false;
    if (s->retained.max_bytes > 0 && !wm_seq_list_reserve(&s->acknowledged, s->acknowledged.count + all)) return false;
    s->ops[s->op_count++] = (stored_op){seq, index};
    s->last_seq = seq;
    return true;
}

void wm_op_store_settled(wm_op_store *s, const wm_op *op)
{
    if (op->file_version == 0) return; /* not in the file yet: the next commit passes it over */
    s->live_ops--;
    if (op->is_retained) {
        s->acknowledged.seqs[s->acknowledged.count++] = op->seq;
        return;
    }
    s->settled.seqs[s->settled.count++] = op->seq;
    s->live_bytes -= op->len + WM_OP_ENTRY_HEAD;
}

void wm_op_store_retain_bytes(wm_op_store *s, size_t bytes)
{
    s->retained.max_bytes = bytes;
}

void wm_op_store_retain(wm_op_store *s, const wm_op_table *table, wm_op *op, uint64_t now_us)
{
    if (op->file_version == 0) return;
    wm_retained_op *kept = wm_retained_ops_add(&s->retained, now_us, op->seq, op->len);
    if (kept == NULL) return;
    kept->file_version = op->file_version;
    wm_op_table_write(table, op, (uint8_t *)(kept + 1));
    op->is_retained = true;
}

void wm_op_store_release(wm_op_store *s, uint64_t before_us)
{
    const wm_retained_op *op;
    while ((op = wm_retained_ops_oldest(&s->retained)) != NULL && op->since_us < before_us) {
        s->settled.seqs[s->settled.count++] = op->seq; /* there is room: wm_op_store_recorded */
        s->live_bytes -= op->len + WM_OP_ENTRY_HEAD;
        wm_retained_ops_pop(&s->retained);
    }
}

static bool is_live(wm_op_table *table, const stored_op *stored)
{
    const wm_op *op = wm_op_table_at(table, stored->index);
    return op->state != WM_OP_FREE && op->seq == stored->seq;
}

/* Takes those out that were settled, from place `from` on. */
static void drop_settled(wm_op_store *s, wm_op_table *table, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < s->op_count; i++)
        if (is_live(table, &s->ops[i])) s->ops[kept++] = s->ops[i];
    s->op_count = kept;
}

/* -- entries -------------------------------------------------------------------------------- */

static void abandon_next(wm_op_store *s)
{
    if (s->next == NULL) return;
    wm_log_file_close(s->next);
    s->next = NULL;
    s->sparse_from = wm_log_file_length(s->file) + WM_STORE_SPARSE_MIN;
}

static bool write_operation(wm_entry_writer *w, const wm_op_table *table, const wm_op *op)
{
    uint8_t *at = wm_entry_writer_reserve(w, WM_ENTRY_OPERATION, op->seq, op->len);
    if (at == NULL) return false;
    wm_op_table_write(table, op, at);
    return true;
}

static bool write_seqs(wm_entry_writer *w, uint32_t kind, const wm_seq_list *l)
{
    return wm_entry_writer_put_seqs(w, kind, l->seqs, l->count);
}

/* All of them, or those that are in no file yet. What came while `next` was being written is in
 * it already. */
static bool write_letters(wm_entry_writer *w, const wm_op_store *s, bool all)
{
    for (size_t i = 0; i < s->letter_count; i++) {
        const dead_letter *letter = &s->letters[i];
        if (!all && letter->file_version != 0) continue;
        if (w->file == NULL && letter->file_version == s->file_version) continue;
        if (!wm_entry_writer_put(w, WM_ENTRY_LETTER, letter->seq, letter->bytes, letter->len)) return false;
    }
    return true;
}

/* All of them, or those that `next` does not have. */
static bool write_retained(wm_entry_writer *w, const wm_op_store *s)
{
    for (wm_retained_op *op = wm_retained_ops_oldest(&s->retained); op != NULL; op = wm_retained_ops_behind(&s->retained, op)) {
        if (w->file == NULL && op->file_version == s->file_version) continue;
        if (!wm_entry_writer_put(w, WM_ENTRY_OPERATION, op->seq, op + 1, op->len)) return false;
        op->file_version = s->file_version;
    }
    return true;
}

/* For a file that is written anew; there is room: wm_op_store_recorded. */
static void acknowledge_all_retained(wm_op_store *s)
{
    s->acknowledged.count = 0;
    for (wm_retained_op *op = wm_retained_ops_oldest(&s->retained); op != NULL; op = wm_retained_ops_behind(&s->retained, op))
        s->acknowledged.seqs[s->acknowledged.count++] = op->seq;
}

static bool write_client(wm_entry_writer *w, const wm_op_store *s)
{
    return wm_entry_writer_put(w, WM_ENTRY_CLIENT, s->last_seq, s->client_id, strlen(s->client_id));
}

/* Those that are in the file after a commit. */
static void count_all(const wm_op_store *s, const wm_op_table *table, uint64_t out[2])
{
    wm_op_counts_write(&(wm_op_counts){table->count, s->retained.count, (uint32_t)s->letter_count}, out);
}

/* -- the file anew ------------------------------------------------------------------------- */

static bool begin_anew(wm_op_store *s, wm_log_error *e)
{
    s->next = wm_log_file_beside(s->file, e);
    if (s->next == NULL) return false;
    s->file_version++;
    s->cursor = 0;
    wm_entry_writer w = {.frame = &s->frame, .next = s->next, .error = e};
    return wm_entry_writer_begin(&w) && write_client(&w, s) && wm_entry_writer_flush(&w);
}

static bool belongs_in_next(const wm_op_store *s, wm_op_table *table, const stored_op *stored)
{
    return is_live(table, stored) && wm_op_table_at(table, stored->index)->file_version != s->file_version;
}

/* Copies operations, up to the place `end`, until `bytes` were written. */
static bool copy_operations(wm_op_store *s, wm_op_table *table, size_t end, uint64_t bytes, wm_log_error *e)
{
    wm_entry_writer w = {.frame = &s->frame, .next = s->next, .error = e};
    if (!wm_entry_writer_begin(&w)) return false;
    for (; s->cursor < end && w.written + s->frame.len < bytes; s->cursor++) {
        const stored_op *stored = &s->ops[s->cursor];
        if (!belongs_in_next(s, table, stored)) continue;
        wm_op *op = wm_op_table_at(table, stored->index);
        if (!write_operation(&w, table, op)) return false;
        if (op->file_version != 0) op->file_version = s->file_version; /* should it be retained before `next` takes its place */
    }
    return wm_entry_writer_flush(&w);
}

/* `next` has all operations that are not settled: what is left are those that stay all the same,
 * and the letters. Then it takes its place. */
static bool end_anew(wm_op_store *s, wm_op_table *table, wm_log_error *e)
{
    wm_entry_writer w = {.frame = &s->frame, .next = s->next, .error = e};
    uint64_t counts[2];
    count_all(s, table, counts);
    acknowledge_all_retained(s);
    if (!wm_entry_writer_begin(&w) || !write_retained(&w, s) || !write_seqs(&w, WM_ENTRY_ACKNOWLEDGED, &s->acknowledged) ||
        !write_letters(&w, s, true) || !wm_entry_writer_flush(&w))
        return false;
    if (!wm_log_file_commit(s->next, counts, e) || !wm_log_file_take_place(s->next, s->file, e)) return false;
    wm_log_file_close(s->old);
    s->old = s->file;
    s->file = s->next;
    s->next = NULL;
    s->sparse_from = 0;
    s->acknowledged.count = 0;
    return true;
}

static bool is_sparse(const wm_op_store *s)
{
    uint64_t length = wm_log_file_length(s->file);
    return length > SPARSE * s->live_bytes + WM_STORE_SPARSE_MIN && length >= s->sparse_from;
}

/* After a commit that wrote `written` bytes. What fails here costs nothing but the space: it is
 * begun again later. */
static void go_on_anew(wm_op_store *s, wm_op_table *table, uint64_t written)
{
    wm_log_error ignored;
    if (s->next == NULL && !is_sparse(s)) return;
    uint64_t bytes = written * COPY_RATIO > WM_STORE_COPY_MIN ? written * COPY_RATIO : WM_STORE_COPY_MIN;
    bool ok = (s->next != NULL || begin_anew(s, &ignored)) && copy_operations(s, table, s->in_file, bytes, &ignored);
    if (ok && s->cursor == s->in_file) ok = end_anew(s, table, &ignored);
    if (ok) return;
    abandon_next(s);
    s->sparse_from = wm_log_file_length(s->file) + WM_STORE_SPARSE_MIN;
}

/* -- the commit ---------------------------------------------------------------------------- */

static void after_commit(wm_op_store *s, wm_op_table *table)
{
    for (; s->in_file < s->op_count; s->in_file++) {
        wm_op *op = wm_op_table_at(table, s->ops[s->in_file].index);
        op->file_version = s->file_version;
        s->live_bytes += op->len + WM_OP_ENTRY_HEAD;
        s->live_ops++;
    }
    for (size_t i = 0; s->fresh_letters > 0 && i < s->letter_count; i++) {
        if (s->letters[i].file_version != 0) continue;
        s->letters[i].file_version = s->file_version;
        s->live_bytes += s->letters[i].len + WM_OP_ENTRY_HEAD;
        s->fresh_letters--;
    }
    s->settled.count = s->acknowledged.count = s->dropped.count = 0;
    if (s->next != NULL || s->in_file <= 2 * (size_t)s->live_ops + OPS_SPARE) return;
    drop_settled(s, table, 0);
    s->in_file = s->op_count;
}

static bool write_changes(wm_entry_writer *w, const wm_op_store *s, wm_op_table *table)
{
    for (size_t i = s->in_file; i < s->op_count; i++)
        if (!write_operation(w, table, wm_op_table_at(table, s->ops[i].index))) return false;
    return write_seqs(w, WM_ENTRY_SETTLED, &s->settled) && write_seqs(w, WM_ENTRY_ACKNOWLEDGED, &s->acknowledged) &&
           write_letters(w, s, false) && write_seqs(w, WM_ENTRY_LETTERS_DROPPED, &s->dropped);
}

/* What a restart writes, with the headers of frames that may be half full. */
static uint64_t size_of_all(const wm_op_store *s, wm_op_table *table)
{
    uint64_t bytes = s->live_bytes + strlen(s->client_id) + WM_OP_ENTRY_HEAD + wm_entry_writer_size_of_seqs(s->retained.count);
    for (size_t i = s->in_file; i < s->op_count; i++)
        bytes += wm_op_table_at(table, s->ops[i].index)->len + WM_OP_ENTRY_HEAD;
    for (size_t i = 0; s->fresh_letters > 0 && i < s->letter_count; i++)
        if (s->letters[i].file_version == 0) bytes += s->letters[i].len + WM_OP_ENTRY_HEAD;
    return bytes + (bytes / (WM_ENTRY_FRAME_BYTES / 2) + 2) * (sizeof(wm_log_frame) + 8);
}

/* With little left in the file this commit brings all of it again, and everything before it is
 * of no use. */
static bool restart(wm_op_store *s, wm_op_table *table)
{
    if (s->next != NULL || s->live_bytes > wm_log_file_used(s->file) / RESTART_SPARSE) return false;
    return wm_log_file_restart(s->file, size_of_all(s, table));
}

static bool write_all(wm_entry_writer *w, wm_op_store *s, wm_op_table *table)
{
    acknowledge_all_retained(s);
    if (!write_client(w, s) || !write_retained(w, s) || !write_seqs(w, WM_ENTRY_ACKNOWLEDGED, &s->acknowledged)) return false;
    for (size_t i = 0; i < s->op_count; i++)
        if (is_live(table, &s->ops[i]) && !write_operation(w, table, wm_op_table_at(table, s->ops[i].index))) return false;
    return write_letters(w, s, true);
}

static void shrink_old(wm_op_store *s)
{
    if (s->old == NULL || !wm_log_file_shrink(s->old, SHRINK_BYTES)) return;
    wm_log_file_close(s->old);
    s->old = NULL;
}

static bool append_changes(wm_op_store *s, wm_op_table *table, wm_log_error *e)
{
    wm_entry_writer w = {.frame = &s->frame, .file = s->file, .next = s->next, .error = e};
    uint64_t counts[2];
    count_all(s, table, counts);
    bool ok = wm_entry_writer_begin(&w) && (restart(s, table) ? write_all(&w, s, table) : write_changes(&w, s, table)) && wm_entry_writer_flush(&w) &&
              wm_log_file_commit(s->file, counts, e);
    if (w.has_next_failed) abandon_next(s);
    if (!ok) {
        wm_log_file_rollback(s->file);
        abandon_next(s); /* it has frames of a commit that did not happen */
        return false;
    }
    after_commit(s, table);
    shrink_old(s);
    go_on_anew(s, table, w.written);
    return true;
}

static bool write_all_anew(wm_op_store *s, wm_op_table *table, wm_log_error *e)
{
    abandon_next(s);
    if (!begin_anew(s, e) || !copy_operations(s, table, s->op_count, UINT64_MAX, e) || !end_anew(s, table, e)) {
        abandon_next(s);
        return false;
    }
    s->write_anew = false;
    after_commit(s, table);
    return true;
}

bool wm_op_store_is_in_place(wm_op_store *s, wm_log_error *e)
{
    bool is_in_place = wm_log_file_is_in_place(s->file, e);
    s->looks_closely = !is_in_place;
    s->write_anew |= !is_in_place && (e->problem == WM_LOG_REMOVED || e->problem == WM_LOG_CHANGED);
    return is_in_place;
}

bool wm_op_store_commit(wm_op_store *s, wm_op_table *table, wm_log_error *e)
{
    drop_settled(s, table, s->in_file);
    if (s->write_anew) return write_all_anew(s, table, e);
    if ((s->looks_closely || !wm_log_file_is_there(s->file)) && !wm_op_store_is_in_place(s, e)) return false;
    return !wm_op_store_is_dirty(s) || append_changes(s, table, e);
}

bool wm_op_store_set_client_id(wm_op_store *s, const char *client_id, wm_log_error *e)
{
    static const uint64_t counts[2];
    wm_entry_writer w = {.frame = &s->frame, .file = s->file, .next = s->next, .error = e};
    size_t len = strlen(client_id);
    if (len > WM_OP_TALLY_ID_MAX)
        return wm_log_fail(e, WM_LOG_OTHER_CLIENT, "the client's id has %zu bytes, and a file keeps up to %u", len,
                           WM_OP_TALLY_ID_MAX);
    memcpy(s->client_id, client_id, len + 1);
    return wm_entry_writer_begin(&w) && write_client(&w, s) && wm_entry_writer_flush(&w) && wm_log_file_commit(s->file, counts, e);
}
