#include "op_store.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Address space for the file, neither memory nor disk: room for a full log thinned
 * out as far as it may get (see SPARSE), twice, and never less than this. */
#define MAP_BYTES_MIN ((size_t)1 << 30)
/* What one segment holds at most; a tick that brought more makes several. */
#define SEGMENT_OPS 4096u
#define SEGMENT_BYTES (1024u * 1024u)
/* A segment of which less than 1/SPARSE is unsettled is written anew without the
 * rest, so the file stays within SPARSE times what is pending. */
#define SPARSE 4u

static const char magic[] = "wingman op log";

/* In a segment, in front of each operation's bytes. */
typedef struct entry_header {
    uint64_t seq;
    uint32_t len;
    uint32_t zero;
} entry_header;

typedef struct segment {
    uint64_t key;       /* in the file */
    uint32_t *ops;      /* index by place; WM_NO_OP once settled */
    uint32_t cap;
    uint32_t count;
    uint32_t live;
    uint64_t bytes;
    uint64_t live_bytes;
    bool touched;       /* in the list of those to be marked by the next commit */
    bool marked;        /* the file has settled marks for it */
    uint32_t next_free;
} segment;

typedef struct fresh_op {
    uint64_t seq;
    uint32_t index;
} fresh_op;

struct wm_op_store {
    MDB_env *env;
    MDB_dbi meta, segments_db, settled_db;
    int lock; /* holds the file's lock */
    uint64_t last_key;
    segment *segments; /* by slot; 0 is none */
    uint32_t segment_count;
    uint32_t segment_cap;
    uint32_t free_segments;
    uint32_t *touched;
    uint32_t touched_count;
    uint32_t touched_cap;
    fresh_op *fresh; /* operations that no commit has written yet */
    size_t fresh_count;
    size_t fresh_cap;
    char node_id[64];
    char error[256];
};

static bool failed(wm_op_store *s, int code)
{
    /* LMDB calls a write that was cut short, as a full disk does, an I/O error. */
    const char *text = code == EIO ? "the disk is full, or has an error" : mdb_strerror(code);
    snprintf(s->error, sizeof s->error, "%s", text);
    return false;
}

/* -- segments in memory -------------------------------------------------------------- */

static uint32_t new_segment(wm_op_store *s, uint32_t ops)
{
    uint32_t slot = s->free_segments;
    if (slot == 0) {
        if (s->segment_count + 1 >= s->segment_cap) {
            uint32_t cap = s->segment_cap ? s->segment_cap * 2 : 64;
            segment *grown = realloc(s->segments, cap * sizeof *grown);
            if (grown == NULL) return 0;
            memset(grown + s->segment_cap, 0, (cap - s->segment_cap) * sizeof *grown);
            s->segments = grown;
            s->segment_cap = cap;
        }
        slot = s->segment_count + 1;
    }
    segment *g = &s->segments[slot];
    if (g->cap < ops) {
        uint32_t *grown = realloc(g->ops, ops * sizeof *grown);
        if (grown == NULL) return 0;
        g->ops = grown;
        g->cap = ops;
    }
    if (slot == s->free_segments) s->free_segments = g->next_free;
    else s->segment_count = slot;
    g->count = g->live = 0;
    g->bytes = g->live_bytes = 0;
    g->touched = g->marked = false;
    return slot;
}

static void free_segment(wm_op_store *s, uint32_t slot)
{
    s->segments[slot].next_free = s->free_segments;
    s->free_segments = slot;
}

static void add_to_segment(segment *g, uint32_t slot, uint32_t index, wm_op *op)
{
    op->segment = slot;
    op->place = g->count;
    g->ops[g->count++] = index;
    g->live++;
    g->bytes += op->len;
    g->live_bytes += op->len;
}

/* -- opening ------------------------------------------------------------------------- */

static bool lock_file(wm_op_store *s, const char *path)
{
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0) return failed(s, errno);
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return failed(s, errno);
    snprintf(s->error, sizeof s->error, "another client has it open");
    return false;
}

static int put_text(wm_op_store *s, MDB_txn *txn, const char *name, const void *bytes, size_t len)
{
    MDB_val key = {strlen(name), (void *)(uintptr_t)name};
    MDB_val value = {len, (void *)(uintptr_t)bytes};
    return mdb_put(txn, s->meta, &key, &value, 0);
}

static bool read_meta(wm_op_store *s, MDB_txn *txn)
{
    MDB_val value;
    MDB_val key = {strlen(magic), (void *)(uintptr_t)magic};
    uint32_t format = WM_OP_STORE_FORMAT;
    int result = mdb_get(txn, s->meta, &key, &value);
    if (result == MDB_NOTFOUND) {
        MDB_stat stat;
        mdb_stat(txn, s->meta, &stat);
        /* The two tables that were just made are entries, too. */
        if (stat.ms_entries > 2) {
            snprintf(s->error, sizeof s->error, "it is an LMDB file of something else");
            return false;
        }
        result = put_text(s, txn, magic, &format, sizeof format);
        return result == 0 || failed(s, result);
    }
    if (result != 0) return failed(s, result);
    if (value.mv_size == sizeof format) memcpy(&format, value.mv_data, sizeof format);
    if (value.mv_size != sizeof format || format > WM_OP_STORE_FORMAT) {
        snprintf(s->error, sizeof s->error, "its format is %u, and this version of Wingman reads up to %u", format,
                 WM_OP_STORE_FORMAT);
        return false;
    }
    key = (MDB_val){7, (void *)(uintptr_t)"node_id"};
    if (mdb_get(txn, s->meta, &key, &value) == 0 && value.mv_size < sizeof s->node_id) {
        memcpy(s->node_id, value.mv_data, value.mv_size);
        s->node_id[value.mv_size] = 0;
    }
    return true;
}

static bool open_tables(wm_op_store *s)
{
    MDB_txn *txn;
    int result = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (result != 0) return failed(s, result);
    if ((result = mdb_dbi_open(txn, NULL, 0, &s->meta)) != 0 ||
        (result = mdb_dbi_open(txn, "segments", MDB_CREATE | MDB_INTEGERKEY, &s->segments_db)) != 0 ||
        (result = mdb_dbi_open(txn, "settled", MDB_CREATE | MDB_INTEGERKEY, &s->settled_db)) != 0) {
        mdb_txn_abort(txn);
        return failed(s, result);
    }
    if (!read_meta(s, txn)) {
        mdb_txn_abort(txn);
        return false;
    }
    result = mdb_txn_commit(txn);
    return result == 0 || failed(s, result);
}

static bool open_file(wm_op_store *s, const char *path, bool sync, size_t max_bytes)
{
    if (!lock_file(s, path)) return false;
    int result = mdb_env_create(&s->env);
    if (result != 0) return failed(s, result);
    size_t wanted = max_bytes < SIZE_MAX / (2 * SPARSE) ? max_bytes * 2 * SPARSE : SIZE_MAX / 2;
    mdb_env_set_mapsize(s->env, wanted > MAP_BYTES_MIN ? wanted : MAP_BYTES_MIN);
    mdb_env_set_maxdbs(s->env, 2);
    /* One process, one thread: the lock above is enough. */
    unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | (sync ? 0 : MDB_NOSYNC);
    result = mdb_env_open(s->env, path, flags, 0600);
    if (result == MDB_INVALID || result == MDB_VERSION_MISMATCH) {
        snprintf(s->error, sizeof s->error, "it is no op log");
        return false;
    }
    return result == 0 ? open_tables(s) : failed(s, result);
}

wm_op_store *wm_op_store_open(const char *path, bool sync, size_t max_bytes, char *error, size_t size)
{
    wm_op_store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        snprintf(error, size, "out of memory");
        return NULL;
    }
    s->lock = -1;
    if (open_file(s, path, sync, max_bytes)) return s;
    snprintf(error, size, "%s", s->error);
    wm_op_store_close(s);
    return NULL;
}

void wm_op_store_close(wm_op_store *s)
{
    if (s == NULL) return;
    if (s->env != NULL) mdb_env_close(s->env);
    if (s->lock >= 0) close(s->lock);
    for (uint32_t i = 1; i <= s->segment_count; i++) free(s->segments[i].ops);
    free(s->segments);
    free(s->touched);
    free(s->fresh);
    free(s);
}

const char *wm_op_store_node_id(const wm_op_store *s)
{
    return s->node_id;
}

bool wm_op_store_set_node_id(wm_op_store *s, const char *node_id)
{
    MDB_txn *txn;
    int result = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (result != 0) return failed(s, result);
    result = put_text(s, txn, "node_id", node_id, strlen(node_id));
    if (result != 0) {
        mdb_txn_abort(txn);
        return failed(s, result);
    }
    result = mdb_txn_commit(txn);
    if (result != 0) return failed(s, result);
    snprintf(s->node_id, sizeof s->node_id, "%s", node_id);
    return true;
}

/* -- loading ------------------------------------------------------------------------- */

static bool is_settled(const MDB_val *marks, uint32_t place)
{
    const uint8_t *bits = marks->mv_data;
    return place / 8 < marks->mv_size && (bits[place / 8] >> (place % 8) & 1);
}

/* The next operation of a segment; NULL at its end and when it is cut off. */
static const uint8_t *next_entry(const uint8_t *at, const uint8_t *end, entry_header *h)
{
    if ((size_t)(end - at) < sizeof *h) return NULL;
    memcpy(h, at, sizeof *h);
    at += sizeof *h;
    return h->len != 0 && h->len <= (size_t)(end - at) ? at : NULL;
}

typedef struct loader {
    wm_oplog *log;
    uint32_t (*add)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len);
    void *user;
} loader;

static bool load_segment(wm_op_store *s, const loader *to, uint64_t key, const MDB_val *body, const MDB_val *marks)
{
    const uint8_t *end = (const uint8_t *)body->mv_data + body->mv_size;
    uint32_t count = 0;
    entry_header h;
    const uint8_t *at = body->mv_data;
    for (const uint8_t *bytes; (bytes = next_entry(at, end, &h)) != NULL; at = bytes + h.len) count++;
    if (at != end || count == 0) {
        snprintf(s->error, sizeof s->error, "segment %llu is damaged", (unsigned long long)key);
        return false;
    }
    uint32_t slot = new_segment(s, count);
    if (slot == 0) return failed(s, ENOMEM);
    s->segments[slot].key = key;
    s->segments[slot].marked = marks->mv_size > 0;
    at = body->mv_data;
    for (uint32_t place = 0; place < count; place++) {
        segment *g = &s->segments[slot];
        const uint8_t *bytes = next_entry(at, end, &h);
        at = bytes + h.len;
        if (is_settled(marks, place)) {
            g->ops[g->count++] = WM_NO_OP;
            g->bytes += h.len;
            continue;
        }
        uint32_t index = to->add(to->user, h.seq, bytes, h.len);
        if (index == WM_NO_OP) {
            snprintf(s->error, sizeof s->error, "operation %u of segment %llu is damaged, or memory is short", place,
                     (unsigned long long)key);
            return false;
        }
        add_to_segment(g, slot, index, wm_oplog_at(to->log, index));
    }
    return true;
}

bool wm_op_store_load(wm_op_store *s, wm_oplog *log,
                      uint32_t (*add)(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len), void *user)
{
    MDB_txn *txn;
    MDB_cursor *cursor = NULL;
    loader to = {log, add, user};
    int result = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
    if (result != 0) return failed(s, result);
    result = mdb_cursor_open(txn, s->segments_db, &cursor);
    bool ok = result == 0 || failed(s, result);
    MDB_val key, body;
    while (ok && (result = mdb_cursor_get(cursor, &key, &body, MDB_NEXT)) == 0) {
        MDB_val marks = {0, NULL};
        memcpy(&s->last_key, key.mv_data, sizeof s->last_key);
        mdb_get(txn, s->settled_db, &key, &marks);
        ok = load_segment(s, &to, s->last_key, &body, &marks);
    }
    if (ok && result != MDB_NOTFOUND) ok = failed(s, result);
    if (cursor != NULL) mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return ok;
}

/* -- what happens between commits ---------------------------------------------------- */

bool wm_op_store_recorded(wm_op_store *s, uint32_t index, uint64_t seq)
{
    if (s->fresh_count == s->fresh_cap) {
        size_t cap = s->fresh_cap ? s->fresh_cap * 2 : 1024;
        fresh_op *grown = realloc(s->fresh, cap * sizeof *grown);
        if (grown == NULL) return false;
        s->fresh = grown;
        s->fresh_cap = cap;
    }
    s->fresh[s->fresh_count++] = (fresh_op){seq, index};
    return true;
}

static bool touch(wm_op_store *s, uint32_t slot)
{
    if (s->segments[slot].touched) return true;
    if (s->touched_count == s->touched_cap) {
        uint32_t cap = s->touched_cap ? s->touched_cap * 2 : 64;
        uint32_t *grown = realloc(s->touched, cap * sizeof *grown);
        if (grown == NULL) return false;
        s->touched = grown;
        s->touched_cap = cap;
    }
    s->segments[slot].touched = true;
    s->touched[s->touched_count++] = slot;
    return true;
}

void wm_op_store_settled(wm_op_store *s, const wm_op *op)
{
    if (op->segment == 0) return; /* not in the file yet: the next commit passes it over */
    segment *g = &s->segments[op->segment];
    g->ops[op->place] = WM_NO_OP;
    g->live--;
    g->live_bytes -= op->len;
    touch(s, op->segment); /* without memory its mark waits for the next one that settles there */
}

bool wm_op_store_is_dirty(const wm_op_store *s)
{
    return s->fresh_count > 0 || s->touched_count > 0;
}

const char *wm_op_store_error(const wm_op_store *s)
{
    return s->error;
}

/* -- the commit ---------------------------------------------------------------------- */

/* Operations that left the log before they were written need not be. */
static void drop_settled(wm_op_store *s, wm_oplog *log)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->fresh_count; i++) {
        const wm_op *op = wm_oplog_at(log, s->fresh[i].index);
        if (op->state != WM_OP_FREE && op->seq == s->fresh[i].seq) s->fresh[kept++] = s->fresh[i];
    }
    s->fresh_count = kept;
}

/* How many of the fresh operations from `first` on go into one segment, and its size. */
static uint32_t measure(const wm_op_store *s, wm_oplog *log, size_t first, size_t *size)
{
    uint32_t count = 0;
    *size = 0;
    while (first + count < s->fresh_count && count < SEGMENT_OPS) {
        size_t need = sizeof(entry_header) + wm_oplog_at(log, s->fresh[first + count].index)->len;
        if (count > 0 && *size + need > SEGMENT_BYTES) break;
        *size += need;
        count++;
    }
    return count;
}

static int write_segment(wm_op_store *s, MDB_txn *txn, wm_oplog *log, size_t first, uint32_t count, size_t size)
{
    uint32_t slot = new_segment(s, count);
    if (slot == 0) return ENOMEM;
    segment *g = &s->segments[slot];
    g->key = s->last_key + 1;
    MDB_val key = {sizeof g->key, &g->key};
    MDB_val body = {size, NULL};
    int result = mdb_put(txn, s->segments_db, &key, &body, MDB_APPEND | MDB_RESERVE);
    if (result != 0) {
        free_segment(s, slot);
        return result;
    }
    s->last_key++;
    uint8_t *at = body.mv_data;
    for (size_t i = first; i < first + count; i++) {
        wm_op *op = wm_oplog_at(log, s->fresh[i].index);
        entry_header h = {op->seq, op->len, 0};
        memcpy(at, &h, sizeof h);
        at = wm_oplog_write(log, op, at + sizeof h);
        add_to_segment(g, slot, s->fresh[i].index, op);
    }
    return 0;
}

/* Marks what is settled of a segment, or takes it out. */
static int write_marks(wm_op_store *s, MDB_txn *txn, segment *g)
{
    MDB_val key = {sizeof g->key, &g->key};
    if (g->live == 0) {
        int result = mdb_del(txn, s->segments_db, &key, NULL);
        if (result == 0 && g->marked) result = mdb_del(txn, s->settled_db, &key, NULL);
        return result;
    }
    MDB_val marks = {(g->count + 7) / 8, NULL};
    int result = mdb_put(txn, s->settled_db, &key, &marks, MDB_RESERVE);
    if (result != 0) return result;
    uint8_t *bits = marks.mv_data;
    memset(bits, 0, marks.mv_size);
    for (uint32_t i = 0; i < g->count; i++)
        if (g->ops[i] == WM_NO_OP) bits[i / 8] |= (uint8_t)(1u << (i % 8));
    return 0;
}

static int write_changes(wm_op_store *s, MDB_txn *txn, wm_oplog *log)
{
    for (uint32_t i = 0; i < s->touched_count; i++) {
        int result = write_marks(s, txn, &s->segments[s->touched[i]]);
        if (result != 0) return result;
    }
    for (size_t first = 0; first < s->fresh_count;) {
        size_t size;
        uint32_t count = measure(s, log, first, &size);
        int result = write_segment(s, txn, log, first, count, size);
        if (result != 0) return result;
        first += count;
    }
    return 0;
}

/* The transaction did not happen: nor did the segments that it made. */
static void forget_new_segments(wm_op_store *s, wm_oplog *log, uint64_t last_key)
{
    for (size_t i = 0; i < s->fresh_count; i++) {
        wm_op *op = wm_oplog_at(log, s->fresh[i].index);
        if (op->segment != 0 && op->place == 0) free_segment(s, op->segment);
        op->segment = 0;
    }
    s->last_key = last_key;
}

/* What is left of a sparse segment joins the next commit, which takes the segment
 * out. */
static void thin_out(wm_op_store *s, wm_oplog *log, uint32_t slot)
{
    segment *g = &s->segments[slot];
    if (g->live_bytes * SPARSE >= g->bytes || g->count < SPARSE) return;
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->ops[i] == WM_NO_OP) continue;
        wm_op *op = wm_oplog_at(log, g->ops[i]);
        if (!wm_op_store_recorded(s, g->ops[i], op->seq)) break; /* the rest stays where it is */
        op->segment = 0;
        g->ops[i] = WM_NO_OP;
        g->live--;
        g->live_bytes -= op->len;
    }
    touch(s, slot);
}

static void after_commit(wm_op_store *s, wm_oplog *log)
{
    uint32_t touched = s->touched_count;
    s->fresh_count = 0;
    s->touched_count = 0;
    /* thin_out may put a segment back into the list, at or before its own place. */
    for (uint32_t i = 0; i < touched; i++) {
        uint32_t slot = s->touched[i];
        segment *g = &s->segments[slot];
        g->touched = false;
        g->marked = true;
        if (g->live == 0) free_segment(s, slot);
        else thin_out(s, log, slot);
    }
}

bool wm_op_store_commit(wm_op_store *s, wm_oplog *log)
{
    drop_settled(s, log);
    if (!wm_op_store_is_dirty(s)) {
        s->error[0] = 0;
        return true;
    }
    MDB_txn *txn;
    uint64_t last_key = s->last_key;
    int result = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (result != 0) return failed(s, result);
    result = write_changes(s, txn, log);
    if (result == 0) result = mdb_txn_commit(txn);
    else mdb_txn_abort(txn);
    if (result != 0) {
        forget_new_segments(s, log, last_key);
        return failed(s, result);
    }
    after_commit(s, log);
    s->error[0] = 0;
    return true;
}
