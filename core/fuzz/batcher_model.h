#ifndef WM_FUZZ_BATCHER_MODEL_H
#define WM_FUZZ_BATCHER_MODEL_H
/* The model that batcher_fuzz compares a batcher with: where each operation is, in which batch,
 * and what may leave. It follows what the batcher reports, and requires that each report is one
 * that may come. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/route_table.h"
#include "oplog/batcher.h"
#include "replica/record_store.h"

#define CONNECTIONS 3
#define KEYS 12u
#define PARTITIONS_MAX 8u
#define OPS_MAX 1000u

typedef enum place {
    GONE,
    WAITS,
    SENT,
    ASIDE,
} place;

typedef struct model_op {
    uint32_t index, key;
    uint64_t seq;
    place place;
    int connection;
    uint32_t batch;
    uint32_t alone;  /* failures of it alone in its batch */
    bool is_refused; /* by words about each operation of its kind */
} model_op;

typedef struct model_batch {
    uint32_t number; /* 0: settled */
    int connection;
    char last_id[WM_OP_ID_LEN];
} model_batch;

/* What one input runs on. */
typedef struct fuzz {
    wm_oplog *log;
    wm_batcher *batcher;
    wm_record_store *records;
    wm_op_ids ids;
    wm_batch_limits limits;
    uint64_t now_us;
    uint32_t template, salt;
    wm_route_table routes;
    bool serial[CONNECTIONS];
    uint32_t window[CONNECTIONS]; /* operations in flight; UINT32_MAX: any number */
    model_op ops[OPS_MAX];
    uint32_t count;
    model_batch batches[OPS_MAX];
    uint32_t batch_count;
} fuzz;

/* The two bytes of a key's name. */
void model_name_key(char *out, uint32_t key);

/* Of a key, for wm_batcher_repartition; `user` is the fuzz. */
uint32_t model_partition_of(void *user, const char *key, size_t len);

/* The operation that has this place in the log; there is one. */
model_op *model_by_index(fuzz *f, uint32_t index);

/* They keep the model; each aborts at a report that the model does not allow. */
wm_batcher_hooks model_hooks(fuzz *f);

/* One of the batches in flight, or of the operations; NULL without any. */
model_batch *model_choose_batch(fuzz *f, uint8_t which);
model_op *model_choose_sent(fuzz *f, uint8_t which);

/* Of the operations that wait for a connection from `first` to `last`; WM_NO_OP without one. */
uint32_t model_oldest_waiting(fuzz *f, int first, int last);

uint32_t model_count_aside(const fuzz *f);

/* The operations of a batch that are in flight. */
uint32_t model_count_sent(const fuzz *f, uint32_t batch);

/* All batches of a connection that ended are settled. */
void model_end_batches(fuzz *f, int connection);

/* Before batches of a connection fail: the failure may count for each operation that is alone in its batch. */
void model_note_alone(fuzz *f, int connection);

/* Afterwards: a batch of which nothing is in flight is settled. */
void model_end_failed(fuzz *f, int connection);

/* What waits for the connection has a reason: an older operation of its key, or one of its
 * partition that has that reason and stands before it. */
void model_check_nothing_left(fuzz *f, int connection);

/* Every operation is in the state of its place, and the batcher's and the log's counts are those of the model. */
void model_check_counts(fuzz *f);

/* Whether the partition has a backlog up to the `nth` operation. */
void model_check_backlog(fuzz *f, uint32_t partition, uint32_t nth);

#endif
