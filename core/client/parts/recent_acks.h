#ifndef WM_RECENT_ACKS_H
#define WM_RECENT_ACKS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The keys that were acknowledged lately, in the order of their acknowledgements. The bytes
 * that they take are bounded: a new key pushes the oldest ones out, and how many of which
 * time is counted for WM_RECENT_ACKS_SPAN_US. Nothing is allocated once the bytes that are
 * needed were needed before. */
typedef struct wm_recent_acks wm_recent_acks;

/* For how long what was pushed out is counted by its time. */
#define WM_RECENT_ACKS_SPAN_US UINT64_C(30000000)

typedef struct wm_recent_ack {
    uint64_t acked_us;
    const char *key;  /* valid until the next add, pop or forget */
    uint32_t key_len;
    uint32_t template; /* of its operation, see oplog.h: which map it is of */
} wm_recent_ack;

/* Keeps up to `max_bytes`, but 64 KiB in any case; an entry takes 16 bytes and its key,
 * rounded up to 8. NULL when out of memory. */
wm_recent_acks *wm_recent_acks_new(size_t max_bytes);
void wm_recent_acks_free(wm_recent_acks *r);
/* Adds a key, a copy of which is kept; times never go back. Out of memory: it counts as
 * pushed out. */
void wm_recent_acks_add(wm_recent_acks *r, uint64_t acked_us, uint32_t template, const char *key, size_t key_len);
/* The oldest entry; false when there is none. */
bool wm_recent_acks_oldest(const wm_recent_acks *r, wm_recent_ack *out);
/* Takes the oldest entry out; there is one. */
void wm_recent_acks_pop(wm_recent_acks *r);
/* Forgets entries that are older than that. A few of them may stay. */
void wm_recent_acks_forget(wm_recent_acks *r, uint64_t before_us);
/* Entries that are kept. */
uint64_t wm_recent_acks_count(const wm_recent_acks *r);
/* When the newest entry was acknowledged; 0: there was none. */
uint64_t wm_recent_acks_newest_us(const wm_recent_acks *r);
/* How many entries from that time on (to 65 ms) were pushed out; they are not counted again. */
uint64_t wm_recent_acks_take_pushed_out(wm_recent_acks *r, uint64_t since_us);
#endif
