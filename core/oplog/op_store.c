#include "oplog/op_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "oplog/file/entry_writer.h"
#include "oplog/file/op_tally.h"
#include "oplog/file/seq_list.h"
#include "oplog/retained_ops.h"

/* A file is rewritten when it is larger than SPARSE times its live content plus WM_STORE_SPARSE_MIN. */
#define SPARSE 3u
#ifndef WM_STORE_SPARSE_MIN /* a fuzzer writes less, and sets a smaller one */
#define WM_STORE_SPARSE_MIN ((uint64_t)4 << 20)
#endif
/* A commit copies COPY_RATIO times as many bytes as it wrote, and at least WM_STORE_COPY_MIN. So the file
 * grows by at most half of its live content until the copy is complete. */
#define COPY_RATIO 2u
#ifndef WM_STORE_COPY_MIN
#define WM_STORE_COPY_MIN (64u * 1024u)
#endif

/* Bytes of the replaced file that one commit frees on the disk. */
#define SHRINK_BYTES ((uint64_t)512 << 10)
/* The file is restarted when its live content is at most 1/RESTART_SPARSE of it. */
#define RESTART_SPARSE 8u
/* Settled operations that `ops` may hold before they are removed from it. */
#define OPS_SPARE 1024u

/* The index of an operation in the table. It is valid while an unsettled operation with this seq is there. */
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
    wm_log_file *old;      /* the file that `file` has replaced, while its space is freed; or NULL */
    wm_log_file *next;     /* the copy that will replace `file`; NULL while there is none */
    uint32_t file_version; /* the number of the last file that was begun; wm_op.file_version says which has it */
    size_t cursor;         /* how many of `ops` were copied to `next` */
    bool must_rewrite;     /* the next commit writes a new file: this one was removed or cut */
    bool checks_place;     /* another file was in its place: each commit checks again */
    uint64_t sparse_from;  /* after a failed copy: the size at which the next one may begin */
    wm_buffer frame;
    stored_op *ops; /* first those in the file, some of them settled; then those that the next commit writes */
    size_t op_count, op_cap, in_file;
    wm_retained_ops retained; /* in the file, and settled in the log */
    /* What the next commit writes: */
    wm_seq_list settled, dropped; /* seqs of settled operations, and of removed dead letters */
    wm_seq_list acknowledged;     /* seqs of settled operations that are retained */
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
    /* So that dropping letters never needs memory. */
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

/* Compares what was read with the counts of the last commit. */
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
    /* So that settling operations never needs memory. */
    size_t all = s->live_ops + s->retained.count + (s->op_count - s->in_file) + 1;
    if (!wm_seq_list_reserve(&s->settled, s->settled.count + all)) return false;
    if (s->retained.max_bytes > 0 && !wm_seq_list_reserve(&s->acknowledged, s->acknowledged.count + all)) return false;
    s->ops[s->op_count++] = (stored_op){seq, index};
    s->last_seq = seq;
    return true;
}

void wm_op_store_settled(wm_op_store *s, const wm_op *op)
{
    if (op->file_version == 0) return; /* not in the file yet: the next commit leaves it out */
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
        s->settled.seqs[s->settled.count++] = op->seq; /* wm_op_store_recorded has reserved the memory */
        s->live_bytes -= op->len + WM_OP_ENTRY_HEAD;
        wm_retained_ops_pop(&s->retained);
    }
}

static bool is_live(wm_op_table *table, const stored_op *stored)
{
    const wm_op *op = wm_op_table_at(table, stored->index);
    return op->state != WM_OP_FREE && op->seq == stored->seq;
}

/* Removes settled operations from `ops`, beginning at the index `from`. */
static void drop_settled(wm_op_store *s, wm_op_table *table, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < s->op_count; i++)
        if (is_live(table, &s->ops[i])) s->ops[kept++] = s->ops[i];
    s->op_count = kept;
}

/* -- entries -------------------------------------------------------------------------------- */

static void abandon_copy(wm_op_store *s)
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

/* Writes all letters, or only those that are in no file yet. Letters that were added during a copy are in
 * `next` already. */
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

/* Writes all retained operations to `file`, or those to `next` that it lacks. */
static bool write_retained(wm_entry_writer *w, const wm_op_store *s)
{
    for (wm_retained_op *op = wm_retained_ops_oldest(&s->retained); op != NULL; op = wm_retained_ops_behind(&s->retained, op)) {
        if (w->file == NULL && op->file_version == s->file_version) continue;
        if (!wm_entry_writer_put(w, WM_ENTRY_OPERATION, op->seq, op + 1, op->len)) return false;
        op->file_version = s->file_version;
    }
    return true;
}

/* Before all entries are written again. wm_op_store_recorded has reserved the memory. */
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

/* The counts of the file's content after a commit. */
static void count_all(const wm_op_store *s, const wm_op_table *table, uint64_t out[2])
{
    wm_op_counts_write(&(wm_op_counts){table->count, s->retained.count, (uint32_t)s->letter_count}, out);
}

/* -- copying to a new file ---------------------------------------------------------------- */

static bool begin_copy(wm_op_store *s, wm_log_error *e)
{
    s->next = wm_log_file_beside(s->file, e);
    if (s->next == NULL) return false;
    s->file_version++;
    s->cursor = 0;
    wm_entry_writer w = {.frame = &s->frame, .next = s->next, .error = e};
    return wm_entry_writer_begin(&w) && write_client(&w, s) && wm_entry_writer_flush(&w);
}

static bool is_to_be_copied(const wm_op_store *s, wm_op_table *table, const stored_op *stored)
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
        if (!is_to_be_copied(s, table, stored)) continue;
        wm_op *op = wm_op_table_at(table, stored->index);
        if (!write_operation(&w, table, op)) return false;
        if (op->file_version != 0) op->file_version = s->file_version; /* it may be retained before `next` replaces `file` */
    }
    return wm_entry_writer_flush(&w);
}

/* Completes `next`, which has all unsettled operations: adds the retained ones and the letters, and
 * replaces `file` by it. */
static bool finish_copy(wm_op_store *s, wm_op_table *table, wm_log_error *e)
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

/* Continues the copy, or begins one if the file is sparse, after a commit that wrote `written` bytes. A
 * failure loses nothing: the copy is begun again later. */
static void continue_copy(wm_op_store *s, wm_op_table *table, uint64_t written)
{
    wm_log_error ignored;
    if (s->next == NULL && !is_sparse(s)) return;
    uint64_t bytes = written * COPY_RATIO > WM_STORE_COPY_MIN ? written * COPY_RATIO : WM_STORE_COPY_MIN;
    bool ok = (s->next != NULL || begin_copy(s, &ignored)) && copy_operations(s, table, s->in_file, bytes, &ignored);
    if (ok && s->cursor == s->in_file) ok = finish_copy(s, table, &ignored);
    if (ok) return;
    abandon_copy(s);
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

/* At most so many bytes a restart writes. Frames may be half full, and each has a header. */
static uint64_t size_of_all(const wm_op_store *s, wm_op_table *table)
{
    uint64_t bytes = s->live_bytes + strlen(s->client_id) + WM_OP_ENTRY_HEAD + wm_entry_writer_size_of_seqs(s->retained.count);
    for (size_t i = s->in_file; i < s->op_count; i++)
        bytes += wm_op_table_at(table, s->ops[i].index)->len + WM_OP_ENTRY_HEAD;
    for (size_t i = 0; s->fresh_letters > 0 && i < s->letter_count; i++)
        if (s->letters[i].file_version == 0) bytes += s->letters[i].len + WM_OP_ENTRY_HEAD;
    return bytes + (bytes / (WM_ENTRY_FRAME_BYTES / 2) + 2) * (sizeof(wm_log_frame) + 8);
}

/* Whether this commit writes all live content again, at the start of the file, because little of the file
 * is live. */
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
    if (w.has_next_failed) abandon_copy(s);
    if (!ok) {
        wm_log_file_rollback(s->file);
        abandon_copy(s); /* it has frames of the commit that failed */
        return false;
    }
    after_commit(s, table);
    shrink_old(s);
    continue_copy(s, table, w.written);
    return true;
}

static bool rewrite(wm_op_store *s, wm_op_table *table, wm_log_error *e)
{
    abandon_copy(s);
    if (!begin_copy(s, e) || !copy_operations(s, table, s->op_count, UINT64_MAX, e) || !finish_copy(s, table, e)) {
        abandon_copy(s);
        return false;
    }
    s->must_rewrite = false;
    after_commit(s, table);
    return true;
}

bool wm_op_store_is_in_place(wm_op_store *s, wm_log_error *e)
{
    bool is_in_place = wm_log_file_is_in_place(s->file, e);
    s->checks_place = !is_in_place;
    s->must_rewrite |= !is_in_place && (e->problem == WM_LOG_REMOVED || e->problem == WM_LOG_CHANGED);
    return is_in_place;
}

bool wm_op_store_commit(wm_op_store *s, wm_op_table *table, wm_log_error *e)
{
    drop_settled(s, table, s->in_file);
    if (s->must_rewrite) return rewrite(s, table, e);
    if ((s->checks_place || !wm_log_file_is_there(s->file)) && !wm_op_store_is_in_place(s, e)) return false;
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
