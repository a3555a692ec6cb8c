#include "replica/saved/copy_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "oplog/file/entry_writer.h"

/* A file is written anew when it is larger than SPARSE times its records plus SPARSE_MIN. */
#define SPARSE 3u
#define SPARSE_MIN ((uint64_t)4 << 20)
/* Bytes that one call copies to the new file at least, and twice as many as it wrote. */
#define COPY_MIN ((uint64_t)256 << 10)
/* Bytes of the replaced file that one call frees on the disk. */
#define SHRINK_BYTES ((uint64_t)512 << 10)
/* How much later a copy was found equal before that is worth an entry. */
#define EQUAL_MS 1000u

/* What the file says of a holding, by its number - 1. */
typedef struct filed_node {
    bool is_used;
    bool is_given; /* to the save under way */
    uint64_t name; /* hash of id and URL */
    uint64_t equal_ms;
} filed_node;

struct wm_copy_file {
    wm_log_file *file;
    wm_log_file *next; /* the file that will replace it; or NULL */
    wm_log_file *old;  /* the file that was replaced, while its space is freed; or NULL */
    bool is_broken;    /* nothing is written to `file` any more: `next` is needed */
    bool has_rules;
    char *map;
    size_t map_len;
    const wm_node_names *names;
    filed_node *nodes;
    uint32_t node_count;
    uint32_t *writers; /* their indices in `names`, by number */
    uint32_t writer_count;
    uint32_t *numbers; /* of the writers by their index in `names`, + 1; 0: none */
    uint32_t number_cap;
    uint64_t bytes, puts; /* of entries of records so far */
    uint64_t sparse_from; /* the length at which it may be written anew */
    uint32_t copied_node; /* where copying to `next` goes on: the number of the holding - 1, its leaf */
    uint32_t copied_leaf;
    wm_buffer frame;
};

/* -- life -------------------------------------------------------------------------------- */

static bool add_writer(wm_copy_file *f, uint32_t index)
{
    if (index >= f->number_cap) {
        uint32_t cap = index * 2 + 16;
        uint32_t *grown = realloc(f->numbers, cap * sizeof *grown);
        if (grown == NULL) return false;
        memset(grown + f->number_cap, 0, (cap - f->number_cap) * sizeof *grown);
        f->numbers = grown;
        f->number_cap = cap;
    }
    uint32_t *grown = realloc(f->writers, (f->writer_count + 1u) * sizeof *grown);
    if (grown == NULL) return false;
    f->writers = grown;
    f->writers[f->writer_count++] = index;
    f->numbers[index] = f->writer_count;
    return true;
}

static uint64_t name_hash(const wm_kept_holding *n)
{
    return (uint64_t)wm_hash_fnv1a(n->id, strlen(n->id)) << 32 | wm_hash_fnv1a(n->url, strlen(n->url));
}

/* What was read is in the file. */
static bool note_content(wm_copy_file *f, const wm_copy_content *c)
{
    f->has_rules = c->has_rules;
    f->bytes = c->bytes;
    f->puts = c->puts;
    f->nodes = calloc(c->node_count + 1u, sizeof *f->nodes);
    if (f->nodes == NULL) return false;
    f->node_count = c->node_count;
    for (uint32_t i = 0; i < c->node_count; i++) {
        const wm_kept_holding *n = &c->nodes[i];
        bool is_named = n->id != NULL && n->url != NULL;
        f->nodes[i] = (filed_node){is_named, false, is_named ? name_hash(n) : 0, n->equal_ms};
        *wm_holding_number(n->holding) = i + 1;
    }
    for (uint32_t i = 0; i < c->writer_count; i++)
        if (!add_writer(f, c->writers[i])) return false;
    return true;
}

wm_copy_file *wm_copy_file_open(const char *path, const char *map, size_t map_len, wm_node_names *names, wm_record_space *space,
                                wm_copy_content *content, wm_log_error *e)
{
    wm_copy_file *f = calloc(1, sizeof *f);
    *content = (wm_copy_content){0};
    if (f == NULL || (f->map = malloc(map_len + 1)) == NULL) {
        free(f);
        wm_log_fail_io(e, ENOMEM);
        return NULL;
    }
    memcpy(f->map, map, map_len);
    f->map_len = map_len;
    f->names = names;
    wm_buffer_init(&f->frame);
    f->file = wm_log_file_open(path, WM_COPY_KIND, false, e);
    if (f->file != NULL && wm_copy_read(f->file, map, map_len, names, space, content, e)) {
        if (note_content(f, content)) return f;
        wm_log_fail_io(e, ENOMEM);
    }
    wm_copy_content_close(content);
    wm_copy_file_close(f);
    return NULL;
}

void wm_copy_file_close(wm_copy_file *f)
{
    if (f == NULL) return;
    wm_log_file_close(f->next);
    wm_log_file_close(f->old);
    wm_log_file_close(f->file);
    wm_buffer_close(&f->frame);
    free(f->nodes);
    free(f->writers);
    free(f->numbers);
    free(f->map);
    free(f);
}

uint64_t wm_copy_file_length(const wm_copy_file *f)
{
    return wm_log_file_length(f->file);
}

static void abandon_next(wm_copy_file *f)
{
    wm_log_file_close(f->next);
    f->next = NULL;
    f->sparse_from = wm_log_file_length(f->file) + SPARSE_MIN;
}

void wm_copy_file_begin_anew(wm_copy_file *f)
{
    abandon_next(f);
    f->is_broken = true;
    memset(f->nodes, 0, f->node_count * sizeof *f->nodes);
    f->node_count = 0;
}

/* -- entries ----------------------------------------------------------------------------- */

static void write_number(uint8_t *at, uint32_t n)
{
    memcpy(at, &n, sizeof n);
}

static void write_long(uint8_t *at, uint64_t n)
{
    memcpy(at, &n, sizeof n);
}

static bool write_rules(wm_entry_writer *w, const wm_copy_file *f, const wm_copy_rules *rules)
{
    uint8_t *at = wm_entry_writer_reserve(w, WM_COPY_RULES, WM_COPY_VERSION, 12 + f->map_len);
    if (at == NULL) return false;
    write_number(at, rules->hash);
    write_number(at + 4, rules->partitions);
    write_number(at + 8, rules->merges);
    memcpy(at + 12, f->map, f->map_len);
    return true;
}

static bool write_writer(wm_entry_writer *w, const wm_copy_file *f, uint32_t number)
{
    const char *id = f->names->all[f->writers[number]];
    return wm_entry_writer_put(w, WM_COPY_WRITER, number, id, strlen(id));
}

static bool write_node(wm_entry_writer *w, uint32_t number, wm_merkle_rule rule)
{
    uint32_t value = rule;
    return wm_entry_writer_put(w, WM_COPY_NODE, number, &value, sizeof value);
}

static bool write_name(wm_entry_writer *w, uint32_t number, const wm_kept_holding *n)
{
    size_t id_len = strlen(n->id), url_len = strlen(n->url);
    uint8_t *at = wm_entry_writer_reserve(w, WM_COPY_NAME, number, 12 + id_len + url_len);
    if (at == NULL) return false;
    write_long(at, n->equal_ms);
    write_number(at + 8, (uint32_t)id_len);
    memcpy(at + 12, n->id, id_len);
    memcpy(at + 12 + id_len, n->url, url_len);
    return true;
}

/* The number of a writer, which is written if the file does not have it yet. */
static bool number_of(wm_entry_writer *w, wm_copy_file *f, uint32_t index, uint64_t *out)
{
    bool is_new = index >= f->number_cap || f->numbers[index] == 0;
    if (is_new && !add_writer(f, index)) return wm_log_fail_io(w->error, ENOMEM);
    *out = f->numbers[index] - 1;
    return !is_new || write_writer(w, f, (uint32_t)*out);
}

static bool write_put(wm_entry_writer *w, wm_copy_file *f, uint32_t number, const wm_record *r)
{
    uint64_t writer;
    size_t value_len = r->value != NULL ? r->value_len : 0, len = WM_COPY_PUT_HEAD + r->key_len + value_len;
    if (!number_of(w, f, r->node, &writer)) return false;
    uint8_t *at = wm_entry_writer_reserve(w, WM_COPY_PUT, number | writer << 32, len);
    if (at == NULL) return false;
    write_long(at, r->millis);
    write_long(at + 8, r->counter);
    write_number(at + 16, r->key_len);
    memcpy(at + WM_COPY_PUT_HEAD, r->key, r->key_len);
    if (value_len > 0) memcpy(at + WM_COPY_PUT_HEAD + r->key_len, r->value, value_len);
    f->bytes += len + WM_OP_ENTRY_HEAD;
    f->puts++;
    return true;
}

static bool write_record(wm_entry_writer *w, wm_copy_file *f, uint32_t number, const wm_record *r)
{
    if (r->marks & WM_RECORD_GRAVE) return wm_entry_writer_put(w, WM_COPY_DROP, number, r->key, r->key_len);
    return write_put(w, f, number, r);
}

/* -- nodes ------------------------------------------------------------------------------- */

/* Gives a holding a number that is free. */
static bool number_holding(wm_copy_file *f, wm_holding *h)
{
    uint32_t i = 0;
    while (i < f->node_count && (f->nodes[i].is_used || f->nodes[i].is_given)) i++;
    if (i == f->node_count) {
        filed_node *grown = realloc(f->nodes, (f->node_count + 1u) * sizeof *grown);
        if (grown == NULL || i == WM_COPY_NODES_MAX) return false;
        f->nodes = grown;
        f->node_count++;
    }
    f->nodes[i] = (filed_node){.is_used = true};
    *wm_holding_number(h) = i + 1;
    return true;
}

/* Everything of it is to be saved. */
static bool begin_node(wm_entry_writer *w, wm_copy_file *f, const wm_kept_holding *n)
{
    if (!number_holding(f, n->holding)) return wm_log_fail_io(w->error, ENOMEM);
    wm_holding_track(n->holding, true);
    return write_node(w, *wm_holding_number(n->holding), n->rule);
}

static bool update_node(wm_entry_writer *w, wm_copy_file *f, const wm_kept_holding *n)
{
    if (*wm_holding_number(n->holding) == 0 && !begin_node(w, f, n)) return false;
    filed_node *filed = &f->nodes[*wm_holding_number(n->holding) - 1];
    uint64_t name = name_hash(n);
    filed->is_given = true;
    if (filed->name == name && n->equal_ms < filed->equal_ms + EQUAL_MS) return true;
    filed->name = name;
    filed->equal_ms = n->equal_ms;
    return write_name(w, *wm_holding_number(n->holding), n);
}

static bool update_nodes(wm_entry_writer *w, wm_copy_file *f, const wm_kept_holding *all, uint32_t count)
{
    for (uint32_t i = 0; i < f->node_count; i++) f->nodes[i].is_given = false;
    for (uint32_t i = 0; i < count; i++)
        if (!update_node(w, f, &all[i])) return false;
    for (uint32_t i = 0; i < f->node_count; i++) {
        if (!f->nodes[i].is_used || f->nodes[i].is_given) continue;
        f->nodes[i] = (filed_node){0};
        if (!write_node(w, i + 1, WM_MERKLE_PLAIN)) return false;
    }
    return true;
}

/* -- changes ----------------------------------------------------------------------------- */

static bool write_hash(wm_entry_writer *w, wm_copy_file *f, wm_holding *h, uint32_t hash)
{
    wm_record r;
    for (uint32_t nth = 0; wm_holding_of_hash(h, hash, nth, &r); nth++)
        if (r.marks & WM_RECORD_UNSAVED && !write_record(w, f, *wm_holding_number(h), &r)) return false;
    return true;
}

static size_t share_of(wm_holding *h, uint32_t records)
{
    size_t count;
    wm_holding_unsaved(h, &count);
    return count < records ? count : records;
}

static bool write_changes(wm_entry_writer *w, wm_copy_file *f, const wm_kept_holding *all, uint32_t count, uint32_t records)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t unsaved, share = share_of(all[i].holding, records);
        const uint32_t *hashes = wm_holding_unsaved(all[i].holding, &unsaved);
        for (size_t at = 0; at < share; at++)
            if (!write_hash(w, f, all[i].holding, hashes[at])) return false;
        records -= (uint32_t)share;
    }
    return true;
}

static void note_saved(const wm_kept_holding *all, uint32_t count, uint32_t *records)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t share = share_of(all[i].holding, *records);
        if (share > 0) wm_holding_saved(all[i].holding, share);
        *records -= (uint32_t)share;
    }
}

static bool has_unsaved(const wm_kept_holding *all, uint32_t count)
{
    size_t unsaved = 0;
    for (uint32_t i = 0; unsaved == 0 && i < count; i++) wm_holding_unsaved(all[i].holding, &unsaved);
    return unsaved > 0;
}

/* -- a new file -------------------------------------------------------------------------- */

static bool begin_next(wm_copy_file *f, const wm_copy_rules *rules, const wm_kept_holding *all, uint32_t count, wm_log_error *e)
{
    f->next = wm_log_file_beside(f->file, e);
    if (f->next == NULL) return false;
    f->copied_node = f->copied_leaf = 0;
    f->has_rules = true;
    wm_entry_writer w = {.frame = &f->frame, .next = f->next, .error = e};
    bool ok = wm_entry_writer_begin(&w) && write_rules(&w, f, rules);
    for (uint32_t i = 0; ok && i < f->writer_count; i++) ok = write_writer(&w, f, i);
    for (uint32_t i = 0; ok && i < f->node_count; i++) ok = write_node(&w, i + 1, WM_MERKLE_PLAIN);
    for (uint32_t i = 0; ok && i < count; i++) {
        uint32_t number = *wm_holding_number(all[i].holding);
        ok = number == 0 || (write_node(&w, number, all[i].rule) && write_name(&w, number, &all[i]));
    }
    return ok && wm_entry_writer_flush(&w);
}

static bool copy_leaf(wm_entry_writer *w, wm_copy_file *f, wm_holding *h, uint32_t leaf)
{
    uint32_t count;
    wm_record r;
    const uint32_t *hashes = wm_holding_leaf(h, leaf, &count);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t nth = 0; wm_holding_of_hash(h, hashes[i], nth, &r); nth++)
            if (!(r.marks & WM_RECORD_GRAVE) && !write_put(w, f, *wm_holding_number(h), &r)) return false;
    return true;
}

/* NULL when none of these has the number. */
static wm_holding *holding_of(const wm_kept_holding *all, uint32_t count, uint32_t number)
{
    for (uint32_t i = 0; i < count; i++)
        if (*wm_holding_number(all[i].holding) == number) return all[i].holding;
    return NULL;
}

static bool copy_some(wm_copy_file *f, const wm_kept_holding *all, uint32_t count, uint64_t bytes, wm_log_error *e)
{
    wm_entry_writer w = {.frame = &f->frame, .next = f->next, .error = e};
    if (!wm_entry_writer_begin(&w)) return false;
    while (f->copied_node < f->node_count && w.written + f->frame.len < bytes) {
        wm_holding *h = holding_of(all, count, f->copied_node + 1);
        if (h != NULL && !copy_leaf(&w, f, h, f->copied_leaf)) return false;
        if (h != NULL && ++f->copied_leaf < WM_LEAVES) continue;
        f->copied_leaf = 0;
        f->copied_node++;
    }
    return wm_entry_writer_flush(&w);
}

static bool finish_next(wm_copy_file *f, wm_log_error *e)
{
    static const uint64_t counts[2];
    if (!wm_log_file_commit(f->next, counts, e) || !wm_log_file_take_place(f->next, f->file, e)) return false;
    wm_log_file_close(f->old);
    f->old = f->file;
    f->file = f->next;
    f->next = NULL;
    f->is_broken = false;
    f->sparse_from = 0;
    return true;
}

/* The bytes that its records would take alone, by the size that they had on average. */
static uint64_t bytes_of(const wm_copy_file *f, const wm_kept_holding *all, uint32_t count)
{
    uint64_t records = 0;
    for (uint32_t i = 0; i < count; i++) records += wm_holding_count(all[i].holding);
    return f->puts > 0 ? records * (f->bytes / f->puts) : 0;
}

static bool is_sparse(const wm_copy_file *f, const wm_kept_holding *all, uint32_t count)
{
    uint64_t length = wm_log_file_length(f->file);
    return length > SPARSE * bytes_of(f, all, count) + SPARSE_MIN && length >= f->sparse_from;
}

/* Whether `next` has everything. In place of a broken file all records are written to it as changes. */
static bool is_whole(const wm_copy_file *f, const wm_kept_holding *all, uint32_t count)
{
    return f->is_broken ? !has_unsaved(all, count) : f->copied_node >= f->node_count;
}

/* A failure loses nothing while `file` can be written. */
static bool continue_next(wm_copy_file *f, const wm_copy_rules *rules, const wm_kept_holding *all, uint32_t count, uint64_t written,
                          wm_log_error *e)
{
    if (f->next == NULL && !f->is_broken && !is_sparse(f, all, count)) return true;
    uint64_t bytes = written * 2 > COPY_MIN ? written * 2 : COPY_MIN;
    bool ok = (f->next != NULL || begin_next(f, rules, all, count, e)) && (f->is_broken || copy_some(f, all, count, bytes, e));
    if (ok && is_whole(f, all, count)) ok = finish_next(f, e);
    if (!ok) abandon_next(f);
    return ok || !f->is_broken;
}

/* -- saving ------------------------------------------------------------------------------ */

static void shrink_old(wm_copy_file *f)
{
    if (f->old == NULL || !wm_log_file_shrink(f->old, SHRINK_BYTES)) return;
    wm_log_file_close(f->old);
    f->old = NULL;
}

/* Whether `file` and `next` know each of the holdings. */
static bool are_numbered(const wm_kept_holding *all, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (*wm_holding_number(all[i].holding) == 0) return false;
    return true;
}

static bool append(wm_copy_file *f, const wm_copy_rules *rules, const wm_kept_holding *all, uint32_t count, uint32_t records,
                   uint64_t *written, wm_log_error *e)
{
    static const uint64_t counts[2];
    wm_entry_writer w = {.frame = &f->frame, .file = f->is_broken ? NULL : f->file, .next = f->next, .error = e};
    bool ok = wm_entry_writer_begin(&w) && (f->has_rules || write_rules(&w, f, rules));
    ok = ok && update_nodes(&w, f, all, count) && write_changes(&w, f, all, count, records) && wm_entry_writer_flush(&w);
    if (ok && w.written > 0 && w.file != NULL) ok = wm_log_file_commit(f->file, counts, e);
    if (w.has_next_failed) abandon_next(f);
    f->has_rules |= ok;
    *written = w.written;
    return ok;
}

bool wm_copy_file_is_behind(const wm_copy_file *f, const wm_kept_holding *all, uint32_t count)
{
    return f->is_broken || has_unsaved(all, count);
}

/* Begins a file in the place of a broken one, which gives numbers of its own. */
static bool replace(wm_copy_file *f, const wm_copy_rules *rules, const wm_kept_holding *all, uint32_t count, wm_log_error *e)
{
    for (uint32_t i = 0; i < count; i++) *wm_holding_number(all[i].holding) = 0;
    f->node_count = 0;
    bool ok = begin_next(f, rules, all, count, e);
    if (!ok) abandon_next(f);
    return ok;
}

bool wm_copy_file_save(wm_copy_file *f, const wm_copy_rules *rules, const wm_kept_holding *all, uint32_t count, uint32_t *records,
                       wm_log_error *e)
{
    uint64_t written = 0;
    if (!f->is_broken && !wm_log_file_is_there(f->file)) {
        abandon_next(f);
        f->is_broken = true;
    }
    if (f->next != NULL && !f->is_broken && !are_numbered(all, count)) abandon_next(f);
    if (f->is_broken && f->next == NULL && !replace(f, rules, all, count, e)) return false;
    if (!append(f, rules, all, count, *records, &written, e)) {
        wm_log_file_rollback(f->file);
        abandon_next(f);
        f->is_broken = true;
        return false;
    }
    note_saved(all, count, records);
    shrink_old(f);
    return continue_next(f, rules, all, count, written, e);
}
