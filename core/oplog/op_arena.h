#ifndef WM_OP_ARENA_H
#define WM_OP_ARENA_H
#include <stddef.h>
#include <stdint.h>

/* Where the bytes of operations live: chunks that are filled from the front
 * and reused once everything in them was released. An operation is encoded
 * straight into its place. Nothing is allocated
 * after warm-up: an emptied chunk is kept for the next one. */
typedef struct wm_op_arena wm_op_arena;

/* A committed run of bytes. `chunk` belongs to the arena. */
typedef struct wm_op_span {
    uint8_t *bytes;
    uint32_t len;
    uint32_t chunk;
} wm_op_span;

/* NULL when out of memory. */
wm_op_arena *wm_op_arena_new(size_t chunk_bytes);
void wm_op_arena_free(wm_op_arena *a);
/* A pointer to at least `size` writable bytes, valid until the next reserve or
 * compact; NULL when out of memory. Reserving again without a commit gives the
 * same place. `*available` is how much may be written there. */
uint8_t *wm_op_arena_reserve(wm_op_arena *a, size_t size, size_t *available);
/* Keeps the first `len` of the reserved bytes for `owner` (the index of the
 * operation, which compaction hands back). */
wm_op_span wm_op_arena_commit(wm_op_arena *a, uint32_t len, uint32_t owner);
/* Gives a span back. Its chunk is reused once nothing in it is held. */
void wm_op_arena_release(wm_op_arena *a, const wm_op_span *span);
/* Bytes of chunks held, used or not: what the arena costs. */
size_t wm_op_arena_footprint(const wm_op_arena *a);
/* Moves what lives in chunks that are mostly released, so that a few old
 * operations cannot pin many chunks. `span_of` gives the span of an owner, or
 * NULL when that owner no longer lives there; the span is updated in place.
 * Cheap when there is nothing to gain. */
void wm_op_arena_compact(wm_op_arena *a, wm_op_span *(*span_of)(void *user, uint32_t owner), void *user);
#endif
