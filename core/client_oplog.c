/* The op log's file: what the last process left in it, and when it is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_internal.h"
#include "status.h"

/* A file that cannot be written is tried again this often. */
#define RETRY_US 100000u

typedef struct loaded_op {
    uint64_t seq;
    uint32_t index;
} loaded_op;

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const loaded_op *)a)->seq, y = ((const loaded_op *)b)->seq;
    return x < y ? -1 : x > y;
}

/* The operation is pending again, and its record readable. */
static bool restore(wm_client *c, uint32_t index)
{
    wm_op *op = wm_oplog_at(c->log, index);
    wm_op_view view = wm_oplog_read(c->log, op);
    wm_map *m = wm_client_map(c, view.map_name, view.map_len);
    if (m == NULL) return false;
    if (wm_map_restore(m, &view, index) < 0) return false;
    op->recorded_us = c->now_us;
    op->partition = wm_client_partition_of(c, view.key, view.key_len);
    wm_batcher_add(c->batcher, index, c->now_us);
    c->stats.ops_loaded++;
    return true;
}

static bool restore_all(wm_client *c)
{
    uint32_t end = wm_oplog_end(c->log), count = 0;
    loaded_op *ops = malloc(end * sizeof *ops);
    if (ops == NULL) return false;
    for (uint32_t i = 1; i < end; i++)
        if (wm_oplog_at(c->log, i)->state != WM_OP_FREE) ops[count++] = (loaded_op){wm_oplog_at(c->log, i)->seq, i};
    qsort(ops, count, sizeof *ops, by_seq);
    bool ok = true;
    for (uint32_t i = 0; ok && i < count; i++) ok = restore(c, ops[i].index);
    free(ops);
    return ok;
}

bool wm_client_open_log(wm_client *c, const wm_client_options *o, char *error, size_t size)
{
    char reason[256];
    if (!wm_oplog_open(c->log, o->oplog_path, o->node_id, o->oplog_sync, reason, sizeof reason)) {
        snprintf(error, size, "option oplog.path: '%s' cannot be used: %s", o->oplog_path, reason);
        return false;
    }
    const char *stored = wm_oplog_node_id(c->log);
    if (strcmp(stored, o->node_id) != 0) {
        if (!o->node_id_is_default) {
            snprintf(error, size, "option oplog.path: '%s' is the log of the client '%s', and the option node_id says '%s'",
                     o->oplog_path, stored, o->node_id);
            return false;
        }
        char *copy = strdup(stored);
        if (copy == NULL) return false;
        free(c->node_names[0]);
        c->node_names[0] = copy;
    }
    if (restore_all(c)) return true;
    snprintf(error, size, "option oplog.path: '%s' is damaged, or memory is short", o->oplog_path);
    return false;
}

int wm_client_sync_log(wm_client *c)
{
    bool was_failing = c->log_failed_us != 0;
    if (was_failing && wm_now_us() - c->log_failed_us < RETRY_US) return WM_EDISK;
    int result = wm_oplog_sync(c->log);
    if (result == WM_OK && !was_failing) return WM_OK;
    c->log_failed_us = result == WM_OK ? 0 : wm_now_us();
    if ((result == WM_OK) == was_failing) {
        const char *reason = wm_oplog_error(c->log);
        wm_client_event(c, (wm_event){.type = WM_EVENT_LOG_FILE, .flag = result == WM_OK}, reason, strlen(reason));
    }
    return result;
}
