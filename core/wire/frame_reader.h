#ifndef WM_FRAME_READER_H
#define WM_FRAME_READER_H
#include "wire/message.h"

/* Reads what one frame carries in pieces of bounded work: a frame may hold thousands
 * of messages (BATCH), or one message thousands of changes (SERVER_BATCH_EVENT), and
 * a game server's tick has no time for all of them at once. The frame's bytes stay
 * the caller's, and must stay, until it is read or given up. */

typedef struct wm_frame_handlers {
    /* A message, envelopes opened; it has passed wm_message_parse. A code < 0 ends the
     * reading. */
    int (*message)(void *user, const wm_message *m);
    /* One element of a SERVER_BATCH_EVENT: a MessagePack value. */
    int (*map_event)(void *user, const uint8_t *event, size_t len, const wm_message_cost *cost);
} wm_frame_handlers;

typedef struct wm_frame_reader {
    const uint8_t *frame;
    size_t len;
    wm_buffer *memory;
    enum {
        WM_FRAME_DONE,
        WM_FRAME_FRESH,
        WM_FRAME_PARSING,
        WM_FRAME_MAP_EVENTS,
    } at;
    wm_message_parser parser;
    const uint8_t *event; /* the one at hand; NULL: none */
    wm_mp_walk event_walk;
    wm_message_cost event_cost;
    wm_mp_reader events; /* behind it */
    uint32_t events_left;
    struct {
        const uint8_t *items;
        uint32_t left;
    } envelopes[WM_MESSAGE_MAX_ENVELOPES]; /* the open ones, the outermost first */
    int depth;
} wm_frame_reader;

/* `memory`: the buffer that the frame lies in, when a handler of a message that fills the
 * frame may take it (wm_message.memory), or NULL. */
void wm_frame_reader_open(wm_frame_reader *r, const void *frame, size_t len, wm_buffer *memory);
/* Whether there is something left to read. */
bool wm_frame_reader_busy(const wm_frame_reader *r);
/* Reads one piece, which calls at most one handler once: WM_OK, or a code < 0 of
 * wm_message_parse or of the handler; the rest is given up then. */
int wm_frame_reader_next(wm_frame_reader *r, const wm_frame_handlers *handlers, void *user);
#endif
