#include "event_queue.h"

#include <string.h>

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

void wm_event_queue_close(wm_event_queue *q)
{
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
    wm_buffer_append(&q->events, &event, sizeof event);
}

const wm_event *wm_event_queue_pop(wm_event_queue *q, const char **text)
{
    size_t count = q->events.len / sizeof(wm_event);
    if (q->next == count) {
        wm_buffer_clear(&q->events);
        wm_buffer_clear(&q->bytes);
        q->next = 0;
        return NULL;
    }
    const wm_event *event = (const wm_event *)(void *)q->events.data + q->next++;
    *text = (const char *)q->bytes.data + event->text_at;
    return event;
}
