#ifndef WM_KEY_QUEUE_H
#define WM_KEY_QUEUE_H
#include "base/buffer.h"

/* Keys in the order in which they were added, each with a number of the caller's. A zeroed queue is empty. */
typedef struct wm_key_queue {
    wm_buffer bytes;
    size_t at; /* of the first key */
    size_t count;
} wm_key_queue;

typedef struct wm_queued_key {
    const char *key; /* valid until the queue changes */
    uint32_t key_len;
    uint64_t note;
} wm_queued_key;

void wm_key_queue_close(wm_key_queue *q);
/* Copies the key. False when out of memory. */
bool wm_key_queue_push(wm_key_queue *q, const char *key, size_t len, uint64_t note);
/* The first key; false when there is none. */
bool wm_key_queue_first(const wm_key_queue *q, wm_queued_key *out);
/* Removes the first key, which must be there. Its bytes stay until the next push. */
void wm_key_queue_pop(wm_key_queue *q);
#endif
