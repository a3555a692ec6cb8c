#ifndef SIM_BACKLOG_H
#define SIM_BACKLOG_H
#include <stdbool.h>
#include <stdint.h>

#include "sim/model/faults.h"
#include "sim/model/options.h"

/* What waits at a node that is slow or full, as the faults `speed`, `inbox` and `write-behind` order it.
 *
 * A node with a speed works off one batch after the other, and acknowledges each when it is done. A v2
 * server splits a batch into parts, one for each partition, and refuses parts that do not fit into the
 * inbox of their worker; the others are applied, and the batch is answered with ERROR 429. What is applied
 * waits to be written to disk, and an operation beyond the write-behind's capacity is refused with
 * ERROR 500. */

/* Batches that may be at work; those beyond are not counted. */
#define SIM_BATCHES_AT_WORK 1024u

typedef struct sim_at_work {
    uint64_t done_us;
    uint32_t parts;
} sim_at_work;

typedef struct sim_backlog {
    uint64_t idle_us; /* when all that was taken is worked off */
    sim_at_work *batches;
    uint32_t first; /* of the ring `batches` */
    uint32_t count;
    uint32_t parts;      /* of these batches */
    double unwritten;    /* operations that wait for the disk */
    uint64_t written_us; /* when `unwritten` was last reduced */
    uint64_t done_ms;    /* when the batch that is handled now is worked off, and acknowledged; 0: at once */
    /* Of that batch. */
    uint8_t seen[SIM_PARTITIONS_MAX];
    uint32_t new_parts;
    uint32_t ops;
} sim_backlog;

typedef enum sim_admission {
    SIM_ADMITTED,
    SIM_INBOX_FULL,
    SIM_WRITE_BEHIND_FULL,
} sim_admission;

/* Begins a batch at `now_us`, of the loop's clock. */
void sim_backlog_begin(sim_backlog *b, const sim_faults *f, uint64_t now_us);
/* Whether one operation of that batch is taken. */
sim_admission sim_backlog_take(sim_backlog *b, const sim_faults *f, uint32_t partition);
/* Ends the batch: sets done_ms. */
void sim_backlog_end(sim_backlog *b, const sim_faults *f, uint64_t now_us);
/* Forgets all that waits. */
void sim_backlog_clear(sim_backlog *b);
#endif
