#include "sim/model/backlog.h"

#include <stdlib.h>
#include <string.h>

#include "sim/wire/alloc.h"

enum { UNSEEN,
       TAKEN,
       REFUSED };

static void release(sim_backlog *b, uint64_t now_us)
{
    while (b->count > 0 && b->batches[b->first].done_us <= now_us) {
        b->parts -= b->batches[b->first].parts;
        b->first = (b->first + 1) % SIM_BATCHES_AT_WORK;
        b->count--;
    }
}

static void write_behind(sim_backlog *b, const sim_faults *f, uint64_t now_us)
{
    double written = (double)(now_us - b->written_us) * f->disk_speed / 1e6;
    b->unwritten = f->write_behind > 0 && b->unwritten > written ? b->unwritten - written : 0;
    b->written_us = now_us;
}

void sim_backlog_begin(sim_backlog *b, const sim_faults *f, uint64_t now_us)
{
    release(b, now_us);
    write_behind(b, f, now_us);
    memset(b->seen, UNSEEN, sizeof b->seen);
    b->new_parts = b->ops = 0;
}

/* The worker of a partition takes its part whole, or not at all. */
static bool takes_part(sim_backlog *b, const sim_faults *f, uint32_t partition)
{
    uint8_t *seen = &b->seen[partition];
    if (*seen == UNSEEN) {
        *seen = f->inbox > 0 && b->parts + b->new_parts >= f->inbox ? REFUSED : TAKEN;
        b->new_parts += *seen == TAKEN;
    }
    return *seen == TAKEN;
}

sim_admission sim_backlog_take(sim_backlog *b, const sim_faults *f, uint32_t partition)
{
    if (!takes_part(b, f, partition)) return SIM_INBOX_FULL;
    if (f->write_behind > 0 && b->unwritten + 1 > f->write_behind) return SIM_WRITE_BEHIND_FULL;
    b->unwritten += f->write_behind > 0;
    b->ops++;
    return SIM_ADMITTED;
}

void sim_backlog_end(sim_backlog *b, const sim_faults *f, uint64_t now_us)
{
    b->done_ms = 0;
    if (f->speed == 0) return;
    if (b->idle_us < now_us) b->idle_us = now_us;
    b->idle_us += (uint64_t)b->ops * 1000000 / f->speed;
    if (b->batches == NULL) b->batches = sim_alloc(SIM_BATCHES_AT_WORK * sizeof *b->batches);
    if (b->count < SIM_BATCHES_AT_WORK) {
        b->batches[(b->first + b->count++) % SIM_BATCHES_AT_WORK] = (sim_at_work){b->idle_us, b->new_parts};
        b->parts += b->new_parts;
    }
    b->done_ms = b->idle_us / 1000;
}

void sim_backlog_clear(sim_backlog *b)
{
    free(b->batches);
    memset(b, 0, sizeof *b);
}
