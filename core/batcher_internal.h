#ifndef WM_BATCHER_INTERNAL_H
#define WM_BATCHER_INTERNAL_H
#include "batcher.h"

/* Shared by the batcher's own files: batcher.c (what waits, and where it goes),
 * batcher_flight.c (what leaves, and how that ends). */

#define NO_PARTITION UINT32_MAX

typedef struct partition {
    size_t bytes; /* of the pending operations */
    uint32_t head; /* pending operations, oldest first */
    uint32_t tail;
    uint32_t count;
    uint32_t in_flight; /* batches in flight that hold operations of it */
    int lane;
    bool ready; /* stands in its lane's ready ring */
    uint32_t ready_next;
    uint32_t ready_prev;
} partition;

typedef struct batch {
    struct batch *next; /* towards the newer ones */
    uint32_t *ops;      /* WM_NO_OP where one was taken out */
    uint32_t count;
    uint32_t cap;
    wm_batch_times times;
    uint64_t deadline_us;
    char last_id[WM_OP_ID_LEN]; /* as sent: what its acknowledgement names */
} batch;

typedef struct lane {
    bool serial;
    uint32_t narrowed; /* operations in a batch, one batch at a time; 0: as the limits say */
    uint32_t calm;     /* batches acknowledged since it was narrowed */
    uint32_t ready; /* a ring of partitions; the one to serve first */
    uint32_t pending_ops;
    size_t pending_bytes;
    uint64_t waiting_since_us; /* when the oldest pending operation came */
    batch *oldest;
    batch *newest;
    const batch *near; /* whose operations were asked for ahead of its acknowledgement; compared, not looked into */
    batch *unwritten; /* the first that the kernel has not taken whole, as far as was told */
    uint32_t in_flight_batches;
    uint32_t in_flight_ops;
    size_t in_flight_bytes;
} lane;

struct wm_batcher {
    wm_oplog *log;
    wm_batch_limits limits;
    wm_batcher_hooks hooks;
    partition *partitions;
    uint32_t partition_count;
    lane *lanes;
    uint32_t lane_count;
    batch *spare; /* batches to be used again */
    uint32_t held; /* pending operations of partitions without a route */
    size_t held_bytes;
    /* Added while their partition had no route, since somebody asked last. */
    uint32_t newly_held[WM_NEWLY_HELD_MAX];
    uint32_t newly_held_count;
    bool has_lost_routes; /* partitions of pending operations, since then */
};

/* Puts the partition into its lane's ready ring, or takes it out. For the next one alone. */
void wm_batcher_set_ready(wm_batcher *b, uint32_t id, bool ready);
/* Brings the ready ring in line with the partition's state: the one place that
 * decides whether a partition is served. */
static inline void wm_batcher_refresh_ready(wm_batcher *b, uint32_t id)
{
    const partition *p = &b->partitions[id];
    bool servable = p->count > 0 && p->lane != WM_LANE_NONE && !(p->in_flight > 0 && b->lanes[p->lane].serial);
    if (servable != p->ready) wm_batcher_set_ready(b, id, servable);
}

/* Takes the oldest pending operation out of its queue; there is one. */
uint32_t wm_batcher_pop_front(wm_batcher *b, partition *p);
/* Puts an operation that comes back at its place by seq. What is in flight is older
 * than what waits, so the place is nearly always the front. */
void wm_batcher_put_back(wm_batcher *b, uint32_t op, uint64_t now_us);
#endif
