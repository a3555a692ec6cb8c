#include "replica/key_queue.h"

#include <string.h>

typedef struct head {
    uint64_t note;
    uint32_t key_len;
} head;

void wm_key_queue_close(wm_key_queue *q)
{
    wm_buffer_close(&q->bytes);
    q->at = q->count = 0;
}

/* What was popped is at least half of the bytes, so each byte is moved once on average. */
static void compact(wm_key_queue *q)
{
    if (q->at * 2 < q->bytes.len) return;
    wm_buffer_consume(&q->bytes, q->at);
    q->at = 0;
}

bool wm_key_queue_push(wm_key_queue *q, const char *key, size_t len, uint64_t note)
{
    head h = {note, (uint32_t)len};
    compact(q);
    uint8_t *to = wm_buffer_reserve(&q->bytes, sizeof h + len);
    if (to == NULL) {
        q->bytes.failed = false; /* nothing was lost of what is in it */
        return false;
    }
    memcpy(to, &h, sizeof h);
    memcpy(to + sizeof h, key, len);
    q->bytes.len += sizeof h + len;
    q->count++;
    return true;
}

bool wm_key_queue_first(const wm_key_queue *q, wm_queued_key *out)
{
    head h;
    if (q->count == 0) return false;
    memcpy(&h, q->bytes.data + q->at, sizeof h);
    *out = (wm_queued_key){(const char *)q->bytes.data + q->at + sizeof h, h.key_len, h.note};
    return true;
}

void wm_key_queue_pop(wm_key_queue *q)
{
    head h;
    memcpy(&h, q->bytes.data + q->at, sizeof h);
    q->at += sizeof h + h.key_len;
    q->count--;
}
