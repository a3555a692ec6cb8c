#ifndef WM_RECENT_ACKS_H
#define WM_RECENT_ACKS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The keys that were acknowledged lately, in the order of their acknowledgements. Their bytes are bounded:
 * a new key pushes the oldest ones out, which are counted by time for WM_RECENT_ACKS_SPAN_US. Memory is
 * reused: once it was used up to the bound, nothing is allocated. */
typedef struct wm_recent_acks wm_recent_acks;

/* How far back keys that were pushed out are counted by time. */
#define WM_RECENT_ACKS_SPAN_US UINT64_C(30000000)

typedef struct wm_recent_ack {
    uint64_t acked_us;
    const char *key; /* valid until the next add, pop or forget */
    uint32_t key_len;
    uint32_t template; /* of its operation (oplog.h), which names the map */
} wm_recent_ack;

/* Keeps up to `max_bytes`, at least 64 KiB. An entry takes 16 bytes and its key, rounded up to 8. NULL when
 * out of memory. */
wm_recent_acks *wm_recent_acks_new(size_t max_bytes);
void wm_recent_acks_free(wm_recent_acks *r);
/* Adds a copy of a key. `acked_us` must not be earlier than that of the newest entry. Out of memory,
 * the key counts as pushed out. */
void wm_recent_acks_add(wm_recent_acks *r, uint64_t acked_us, uint32_t template, const char *key, size_t key_len);
/* The oldest entry; false when there is none. */
bool wm_recent_acks_oldest(const wm_recent_acks *r, wm_recent_ack *out);
/* Removes the oldest entry, which must exist. */
void wm_recent_acks_pop(wm_recent_acks *r);
/* Removes entries acknowledged before `before_us`. A few of them may stay. */
void wm_recent_acks_forget(wm_recent_acks *r, uint64_t before_us);
/* The number of entries. */
uint64_t wm_recent_acks_count(const wm_recent_acks *r);
/* When the newest entry so far was acknowledged; 0: there was none. */
uint64_t wm_recent_acks_newest_us(const wm_recent_acks *r);
/* How many of the entries pushed out since the last call were acknowledged at `since_us` or later. The
 * times of these are kept to 65 ms. */
uint64_t wm_recent_acks_take_pushed_out(wm_recent_acks *r, uint64_t since_us);
#endif
