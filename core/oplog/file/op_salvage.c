#include "oplog/file/op_salvage.h"

#include <string.h>
#include <unistd.h>

#include "oplog/file/entry_writer.h"
#include "wire/op_decoding.h"

typedef struct salvage {
    wm_log_scan *from;
    wm_log_file *to;
    wm_op_tally tally;
    wm_buffer frame;
    wm_entry_writer writer; /* to `to` */
    wm_op_findings *out;
    wm_log_error *error;
} salvage;

static bool count_frame(void *user, const uint8_t *payload, size_t len)
{
    salvage *v = user;
    return wm_op_tally_add(&v->tally, payload, len, v->error);
}

/* Without an entry for it, the client's id is found in the timestamp of an operation. */
static bool find_client(void *user, const uint8_t *payload, size_t len)
{
    salvage *v = user;
    const uint8_t *at = payload;
    wm_op_entry entry;
    wm_op_view view;
    while (v->tally.id_len == 0 && wm_op_entry_next(&at, payload + len, &entry)) {
        if (entry.kind != WM_ENTRY_OPERATION || !wm_op_decode(entry.bytes, entry.len, &view)) continue;
        if (view.time.node_len > WM_OP_TALLY_ID_MAX) continue;
        v->tally.id_len = (uint32_t)view.time.node_len;
        memcpy(v->tally.id, view.time.node, view.time.node_len);
    }
    return true;
}

static bool inspect(salvage *v, const char *path, bool lock)
{
    memset(v->out, 0, sizeof *v->out);
    v->from = wm_log_scan_open(path, WM_OP_LOG_KIND, lock, v->error);
    if (v->from == NULL || !wm_log_scan_read(v->from, count_frame, v, v->error)) return false;
    if (v->tally.id_len == 0 && !wm_log_scan_read(v->from, find_client, v, v->error)) return false;
    if (!wm_op_tally_finish(&v->tally, v->error)) return false;
    wm_op_findings *out = v->out;
    out->file = *wm_log_scan_findings(v->from);
    out->written = wm_op_counts_read(out->file.counts);
    out->counts = out->file.is_in_use ? out->written : wm_op_tally_counts(&v->tally);
    memcpy(out->client, v->tally.id, v->tally.id_len);
    return true;
}

static void end(salvage *v)
{
    wm_log_scan_close(v->from);
    wm_log_file_close(v->to);
    wm_op_tally_close(&v->tally);
    wm_buffer_close(&v->frame);
}

bool wm_op_inspect(const char *path, wm_op_findings *out, wm_log_error *e)
{
    salvage v = {.out = out, .error = e};
    bool ok = inspect(&v, path, false);
    end(&v);
    return ok;
}

/* -- the new file -------------------------------------------------------------------------- */

static bool write_client(salvage *v)
{
    return wm_entry_writer_put(&v->writer, WM_ENTRY_CLIENT, v->tally.last_seq, v->tally.id, v->tally.id_len);
}

/* Writes the live operations and dead letters of a frame. */
static bool copy_live(void *user, const uint8_t *payload, size_t len)
{
    salvage *v = user;
    const uint8_t *at = payload;
    wm_op_entry entry;
    while (wm_op_entry_next(&at, payload + len, &entry)) {
        if (entry.kind != WM_ENTRY_OPERATION && entry.kind != WM_ENTRY_LETTER) continue;
        if (!wm_op_tally_is_live(&v->tally, &entry)) continue;
        if (!wm_entry_writer_put(&v->writer, entry.kind, entry.seq, entry.bytes, entry.len)) return false;
        if (entry.kind != WM_ENTRY_OPERATION || !wm_op_tally_is_acknowledged(&v->tally, entry.seq)) continue;
        if (!wm_entry_writer_put_seqs(&v->writer, WM_ENTRY_ACKNOWLEDGED, &entry.seq, 1)) return false;
    }
    return true;
}

static bool write_all(salvage *v)
{
    uint64_t counts[2];
    wm_op_counts_write(&v->out->counts, counts);
    v->writer = (wm_entry_writer){.frame = &v->frame, .file = v->to, .error = v->error};
    return wm_entry_writer_begin(&v->writer) && write_client(v) && wm_log_scan_read(v->from, copy_live, v, v->error) &&
           wm_entry_writer_flush(&v->writer) && wm_log_file_commit(v->to, counts, v->error);
}

static bool make_file(salvage *v, const char *to)
{
    wm_log_error e;
    v->to = wm_log_file_new(to, WM_OP_LOG_KIND, true, &e);
    return v->to != NULL || wm_log_fail(v->error, e.problem, "the new file: %.200s", e.text);
}

bool wm_op_salvage(const char *path, const char *to, wm_op_findings *out, wm_log_error *e)
{
    salvage v = {.out = out, .error = e};
    bool made = inspect(&v, path, true) && make_file(&v, to);
    bool ok = made && write_all(&v);
    if (made && !ok) unlink(to);
    end(&v);
    return ok;
}
