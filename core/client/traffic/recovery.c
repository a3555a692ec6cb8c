/* The op log's file: loading what the last process left in it, and committing to it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"

/* How often writing is tried again after a failure. */
#define RETRY_US 100000u
/* How often it is checked that the file is still at its path. */
#define LOOK_US 100000u

typedef struct loaded_op {
    uint64_t seq;
    uint32_t index;
} loaded_op;

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const loaded_op *)a)->seq, y = ((const loaded_op *)b)->seq;
    return x < y ? -1 : x > y;
}

/* Takes the record of a loaded operation into the local copy. The operation is pending again, unless it
 * was acknowledged. */
static bool restore(wm_client *c, uint32_t index, wm_log_error *e)
{
    wm_op *op = wm_oplog_at(c->log, index);
    wm_op_view view = wm_oplog_read(c->log, op);
    wm_map *m = wm_client_map(c, view.map_name, view.map_len);
    if (m == NULL) return wm_log_fail_io(e, ENOMEM);
    int result = wm_map_restore(m, &view, index);
    if (result == WM_ENOMEM) return wm_log_fail_io(e, ENOMEM);
    if (result < 0)
        return wm_log_fail(e, WM_LOG_DAMAGED, "the record of its operation %llu is invalid", (unsigned long long)op->seq);
    op->recorded_us = c->now_us;
    op->partition = wm_route_table_partition_of(&c->routes, view.key, view.key_len);
    if (op->is_acknowledged) {
        wm_client_keep_loaded(c, index);
        return true;
    }
    wm_batcher_add(c->batcher, index, c->now_us);
    c->figures.stats.ops_loaded++;
    return true;
}

static bool restore_all(wm_client *c, size_t retained_bytes, wm_log_error *e)
{
    wm_oplog_retain_bytes(c->log, retained_bytes);
    uint32_t end = wm_oplog_end(c->log), count = 0;
    loaded_op *ops = malloc(end * sizeof *ops);
    if (ops == NULL) return wm_log_fail_io(e, ENOMEM);
    for (uint32_t i = 1; i < end; i++)
        if (wm_oplog_at(c->log, i)->state != WM_OP_FREE) ops[count++] = (loaded_op){wm_oplog_at(c->log, i)->seq, i};
    qsort(ops, count, sizeof *ops, by_seq);
    bool ok = true;
    for (uint32_t i = 0; ok && i < count; i++) ok = restore(c, ops[i].index, e);
    free(ops);
    return ok;
}

/* -- dead letters in the file ------------------------------------------------------------- */

static bool keep_letter(void *user, uint64_t seq, const uint8_t *bytes, size_t len)
{
    wm_client *c = user;
    return wm_oplog_put_letter(c->log, seq, bytes, (uint32_t)len);
}

static void forget_letter(void *user, uint64_t seq)
{
    wm_client *c = user;
    wm_oplog_drop_letter(c->log, seq);
}

typedef struct loading {
    wm_dead_letters *into;
    int result;
    uint64_t seq; /* the error of the first that failed */
} loading;

static void load_letter(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len)
{
    loading *l = user;
    if (l->result < 0) return;
    l->result = wm_dead_letters_load(l->into, seq, bytes, len);
    l->seq = seq;
}

static bool load_letters(wm_client *c, wm_log_error *e)
{
    loading l = {.into = c->dead_letters};
    wm_oplog_letters(c->log, load_letter, &l);
    wm_dead_letters_keep(c->dead_letters, (wm_dead_letters_hooks){c, keep_letter, forget_letter});
    if (l.result == WM_ENOMEM) return wm_log_fail_io(e, ENOMEM);
    if (l.result == WM_OK) return true;
    return wm_log_fail(e, WM_LOG_DAMAGED, "the dead letter %llu cannot be read", (unsigned long long)l.seq);
}

/* What a user can do about an error. */
static const char *advice(wm_log_problem problem)
{
    switch (problem) {
    case WM_LOG_MEMORY: return "it was not changed: free memory, or raise the limit, and open it again";
    case WM_LOG_BUSY: return "close that one first, or give this client a file of its own";
    case WM_LOG_NOT_A_LOG: return "it was not changed: give the client another path";
    case WM_LOG_OLD_FORMAT: return "it was not changed";
    case WM_LOG_NEW_FORMAT: return "it was not changed: use the version that wrote it";
    case WM_LOG_DAMAGED:
        return "nothing was sent or changed: `wingman oplog inspect` shows its content, and "
               "`wingman oplog salvage` writes its undamaged part to a new file; if you remove it, a new one is created";
    case WM_LOG_OTHER_CLIENT: return "leave client_id out, or give the client another path";
    default: return "no operation was lost: mend that, and open it again";
    }
}

static bool is_of_this_client(wm_client *c, const wm_client_options *o, wm_log_error *e)
{
    const char *stored = wm_oplog_client_id(c->log);
    if (strcmp(stored, o->client_id) == 0) return true;
    if (!o->client_id_is_default)
        return wm_log_fail(e, WM_LOG_OTHER_CLIENT, "it is the log of the client '%.80s', and the option client_id says '%.80s'",
                           stored, o->client_id);
    return wm_node_names_rename(&c->maps.writers, 0, stored) || wm_log_fail_io(e, ENOMEM);
}

bool wm_client_open_log(wm_client *c, const wm_client_options *o, wm_log_problem *problem, char *error, size_t size)
{
    wm_log_error e;
    if (o->oplog_path == NULL) return true;
    if (wm_oplog_open(c->log, o->oplog_path, o->client_id, o->oplog_sync, &e) && is_of_this_client(c, o, &e) &&
        restore_all(c, o->recent_ack_bytes, &e) && load_letters(c, &e)) {
        wm_client_judge_log(c);
        return true;
    }
    *problem = e.problem;
    snprintf(error, size, "option oplog.path: '%s' cannot be used: %s; %s", o->oplog_path, e.text, advice(e.problem));
    return false;
}

/* Adds a dead letter for which memory did not suffice before. No commit happens until it is there, so the
 * file keeps the pending operation until it has the letter. */
static int write_log(wm_client *c)
{
    return wm_dead_letters_put_all(c->dead_letters) ? wm_oplog_sync(c->log) : wm_oplog_lacks_memory(c->log);
}

/* Checks the file's place: without writes, its removal would go unnoticed. */
static int sync_log(wm_client *c, uint64_t now)
{
    if (now - c->log_file.looked_us >= LOOK_US) {
        c->log_file.looked_us = now;
        if (c->log_file.failed_us == 0 && wm_oplog_check_file(c->log) != WM_OK) return WM_EDISK;
    }
    return write_log(c);
}

int wm_client_finish_log(wm_client *c)
{
    wm_membership_state membership;
    wm_client_unverified(c, &membership);
    bool is_calm = membership == WM_MEMBERSHIP_CALM && !c->membership.has_loaded;
    if (is_calm) wm_oplog_release(c->log, UINT64_MAX);
    bool keeps_something = !is_calm || wm_oplog_count(c->log) > 0 || wm_dead_letters_count(c->dead_letters) > 0;
    if (keeps_something) wm_oplog_check_file(c->log);
    int result = write_log(c);
    return result == WM_OK || !keeps_something ? WM_OK : write_log(c); /* a file that was removed is written again */
}

static void report_script(wm_client *c)
{
    const wm_log_error *e = wm_oplog_error(c->log);
    const char *name = wm_log_problem_name(e->problem);
    char text[sizeof e->text + 32];
    snprintf(text, sizeof text, "%s%s", name, e->text);
    wm_client_event(c, (wm_event){.type = WM_EVENT_LOG_FILE, .flag = e->problem == WM_LOG_NONE, .b = (int64_t)strlen(name)},
                    text, strlen(text));
}

int wm_client_sync_log(wm_client *c)
{
    uint64_t now = wm_now_us();
    bool was_failing = c->log_file.failed_us != 0;
    if (was_failing && now - c->log_file.failed_us < RETRY_US) return WM_EDISK;
    int result = sync_log(c, now);
    if (result == WM_OK && !was_failing) return WM_OK;
    c->log_file.failed_us = result == WM_OK ? 0 : now;
    if ((result == WM_OK) == was_failing) report_script(c);
    return result;
}
