#ifndef WM_OP_ARENA_H
#define WM_OP_ARENA_H
#include <stddef.h>
#include <stdint.h>

/* Memory for the bytes of operations, in chunks. A chunk is filled from the front and reused once all
 * of it was released, so nothing is allocated after warm-up. Operations are encoded in place. */
typedef struct wm_op_arena wm_op_arena;

/* Bytes of one operation. `chunk` is for the arena only. */
typedef struct wm_op_span {
    uint8_t *bytes;
    uint32_t len;
    uint32_t chunk;
} wm_op_span;

/* NULL when out of memory. */
wm_op_arena *wm_op_arena_new(size_t chunk_bytes);
void wm_op_arena_free(wm_op_arena *a);
/* Reserves at least `size` bytes, and sets `available` to how many they are. Valid until the next
 * reserve or compact; NULL when out of memory. Without a commit the next reserve returns the same
 * place. */
uint8_t *wm_op_arena_reserve(wm_op_arena *a, size_t size, size_t *available);
/* Keeps the first `len` of the reserved bytes. `owner`: index of the operation, which
 * wm_op_arena_compact passes to span_of. */
wm_op_span wm_op_arena_commit(wm_op_arena *a, uint32_t len, uint32_t owner);
/* Releases a span. Its chunk is reused once all its spans are released. */
void wm_op_arena_release(wm_op_arena *a, const wm_op_span *span);
/* Bytes of all chunks, used or not. */
size_t wm_op_arena_footprint(const wm_op_arena *a);
/* Moves spans out of chunks that are mostly released, so that a few old operations do not keep many
 * chunks. `span_of` returns the span of an owner, to be updated in place, or NULL when it has none any
 * more. Returns soon when there is little to gain. */
void wm_op_arena_compact(wm_op_arena *a, wm_op_span *(*span_of)(void *user, uint32_t owner), void *user);
#endif
