#include "wire/frame_reader.h"

#include "base/status.h"

/* MessagePack items that one piece steps over: some microseconds. */
#define PIECE_ITEMS 512u

void wm_frame_reader_open(wm_frame_reader *r, const void *frame, size_t len, wm_buffer *memory)
{
    r->frame = frame;
    r->len = len;
    r->memory = memory;
    r->at = WM_FRAME_FRESH;
    r->depth = 0;
}

bool wm_frame_reader_busy(const wm_frame_reader *r)
{
    return r->at != WM_FRAME_DONE;
}

/* The next message of the innermost envelope that has one; without one the frame is
 * done. */
static void advance(wm_frame_reader *r)
{
    r->at = WM_FRAME_DONE;
    while (r->depth > 0 && r->envelopes[r->depth - 1].left == 0) r->depth--;
    if (r->depth == 0) return;
    const uint8_t *items = r->envelopes[r->depth - 1].items;
    r->frame = items + 4;
    r->len = wm_message_item_len(items);
    r->envelopes[r->depth - 1].items = r->frame + r->len;
    r->envelopes[r->depth - 1].left--;
    r->at = WM_FRAME_FRESH;
}

static int enter_envelope(wm_frame_reader *r, const wm_message *m)
{
    const uint8_t *items;
    uint32_t count;
    if (r->depth == WM_MESSAGE_MAX_ENVELOPES) return WM_MESSAGE_EENVELOPE;
    int rc = wm_message_open_envelope(m, &items, &count);
    if (rc < 0) return rc;
    r->envelopes[r->depth].items = items;
    r->envelopes[r->depth++].left = count;
    advance(r);
    return WM_OK;
}

/* Stands before the first element of payload.events; false when there is no such
 * array, and the message is one for others to refuse. The payload was checked as a
 * whole, so that nothing in it can fail to be read. */
static bool enter_map_events(wm_frame_reader *r, const wm_message *m)
{
    wm_mp_item item;
    if (m->payload == NULL) return false;
    wm_mp_reader_init(&r->events, m->payload, m->payload_len);
    wm_mp_read(&r->events, &item);
    if (item.kind != WM_MP_MAP) return false;
    for (uint32_t fields = item.count; fields > 0; fields--) {
        wm_mp_item key;
        wm_mp_reader peek = r->events;
        wm_mp_read(&peek, &key);
        wm_mp_skip(&r->events);
        if (wm_mp_is(&key, "events")) {
            wm_mp_read(&r->events, &item);
            r->events_left = item.count;
            r->event = NULL;
            r->at = WM_FRAME_MAP_EVENTS;
            return item.kind == WM_MP_ARRAY;
        }
        wm_mp_skip(&r->events);
    }
    return false;
}

static int next_map_event(wm_frame_reader *r, const wm_frame_handlers *handlers, void *user)
{
    uint32_t most = PIECE_ITEMS;
    if (r->event == NULL) {
        if (r->events_left == 0) {
            advance(r);
            return WM_OK;
        }
        r->events_left--;
        r->event = r->events.pos;
        r->event_cost.elements = 0;
        wm_mp_walk_begin(&r->event_walk, &r->events, WM_MP_MAX_DEPTH);
    }
    int rc = wm_mp_walk_on(&r->event_walk, &most);
    r->event_cost.elements += PIECE_ITEMS - most;
    if (rc != WM_OK) return rc;
    const uint8_t *event = r->event;
    r->event = NULL;
    r->events = r->event_walk.at;
    r->event_cost.lua_bytes = r->event_walk.lua_bytes;
    r->event_cost.largest = r->event_walk.largest;
    return handlers->map_event(user, event, (size_t)(r->events.pos - event), &r->event_cost);
}

static int parsed(wm_frame_reader *r, wm_message *m, const wm_frame_handlers *handlers, void *user)
{
    if (m->type == WM_TYPE_BATCH) return enter_envelope(r, m);
    if (m->type == WM_TYPE_SERVER_BATCH_EVENT && enter_map_events(r, m)) return WM_OK;
    m->memory = r->depth == 0 ? r->memory : NULL;
    int rc = handlers->message(user, m);
    if (rc >= 0) advance(r);
    return rc;
}

static int read_piece(wm_frame_reader *r, const wm_frame_handlers *handlers, void *user)
{
    wm_message m;
    int rc;
    switch (r->at) {
    case WM_FRAME_FRESH:
        if ((rc = wm_message_parser_begin(&r->parser, r->frame, r->len)) < 0) return rc;
        r->at = WM_FRAME_PARSING;
        /* fall through */
    case WM_FRAME_PARSING:
        rc = wm_message_parser_on(&r->parser, PIECE_ITEMS, &m);
        return rc == 0 ? parsed(r, &m, handlers, user) : rc;
    case WM_FRAME_MAP_EVENTS:
        return next_map_event(r, handlers, user);
    default:
        return WM_OK;
    }
}

int wm_frame_reader_next(wm_frame_reader *r, const wm_frame_handlers *handlers, void *user)
{
    int rc = read_piece(r, handlers, user);
    if (rc < 0) r->at = WM_FRAME_DONE;
    return rc < 0 ? rc : WM_OK;
}
