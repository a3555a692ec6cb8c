#include "client/parts/event_queue.h"

#include <stdlib.h>
#include <string.h>

/* Events handed out that are not worth moving the others for. */
#define MIN_FORGOTTEN 1024u

const char *wm_event_name(wm_event_type type)
{
    static const char *const names[] = {
        "none",
#define X(name, key) key,
        WM_EVENTS(X)
#undef X
    };
    return names[type];
}

void wm_event_queue_init(wm_event_queue *q)
{
    memset(q, 0, sizeof *q);
    wm_buffer_init(&q->events);
    wm_buffer_init(&q->bytes);
}

static wm_event *events_of(const wm_event_queue *q)
{
    return (wm_event *)(void *)q->events.data;
}

static size_t count_of(const wm_event_queue *q)
{
    return q->events.len / sizeof(wm_event);
}

void wm_event_queue_close(wm_event_queue *q)
{
    for (size_t i = q->next; i < count_of(q); i++) free(events_of(q)[i].memory);
    free(q->last);
    wm_buffer_close(&q->events);
    wm_buffer_close(&q->bytes);
}

void wm_event_queue_push(wm_event_queue *q, wm_event event, const void *text, size_t len)
{
    if (wm_buffer_reserve(&q->events, sizeof event) == NULL || wm_buffer_reserve(&q->bytes, len + 1) == NULL) {
        q->dropped++;
        return;
    }
    event.text_at = q->bytes.len;
    event.text_len = len;
    if (len > 0) wm_buffer_append(&q->bytes, text, len);
    event.bytes_at = q->bytes.len;
    wm_buffer_append(&q->events, &event, sizeof event);
}

void wm_event_queue_push_taken(wm_event_queue *q, wm_event event, const void *text, size_t len, wm_buffer *memory)
{
    event.text_at = (size_t)((const uint8_t *)text - memory->data);
    event.text_len = len;
    event.bytes_at = q->bytes.len;
    event.memory = memory->data;
    if (wm_buffer_reserve(&q->events, sizeof event) == NULL) {
        q->dropped++;
        return;
    }
    wm_buffer_init(memory);
    q->taken += len;
    wm_buffer_append(&q->events, &event, sizeof event);
}

/* A script that hands out a part at a time never empties the queue: what it has had
 * goes once it is the larger half, so that each byte is moved once on average. */
static void forget_handed_out(wm_event_queue *q)
{
    size_t count = count_of(q);
    if (q->next < count / 2 || q->next < MIN_FORGOTTEN) return;
    wm_event *events = events_of(q);
    size_t bytes = events[q->next - 1].bytes_at;
    for (size_t i = q->next; i < count; i++) {
        events[i].bytes_at -= bytes;
        if (events[i].memory == NULL) events[i].text_at -= bytes;
    }
    wm_buffer_consume(&q->bytes, bytes);
    wm_buffer_consume(&q->events, q->next * sizeof(wm_event));
    q->next = 0;
}

uint8_t *wm_event_queue_take(wm_event_queue *q)
{
    uint8_t *memory = q->last;
    q->last = NULL;
    return memory;
}

const wm_event *wm_event_queue_pop(wm_event_queue *q, const char **text)
{
    free(wm_event_queue_take(q));
    if (q->next == count_of(q)) {
        wm_buffer_clear(&q->events);
        wm_buffer_clear(&q->bytes);
        q->next = 0;
        return NULL;
    }
    forget_handed_out(q);
    const wm_event *event = events_of(q) + q->next++;
    q->last = event->memory;
    if (event->memory != NULL) q->taken -= event->text_len;
    *text = (const char *)(event->memory != NULL ? event->memory : q->bytes.data) + event->text_at;
    return event;
}

size_t wm_event_queue_bytes(const wm_event_queue *q)
{
    size_t count = count_of(q);
    if (q->next == count) return 0;
    size_t handed_out = q->next > 0 ? events_of(q)[q->next - 1].bytes_at : 0;
    return (count - q->next) * sizeof(wm_event) + q->bytes.len - handed_out + q->taken;
}
