#ifndef WM_FRAME_READER_H
#define WM_FRAME_READER_H
#include "wire/message.h"

/* Reads a frame in pieces of bounded work. A frame may hold thousands of messages (BATCH), and a
 * message thousands of map events (SERVER_BATCH_EVENT); a game server's tick has no time for all of
 * them at once. The frame's bytes belong to the caller and must stay until the frame is read to its end
 * or an error. */

typedef struct wm_frame_handlers {
    /* A message, from an envelope or not, that has passed wm_message_parse. A result < 0 ends the
     * reading. */
    int (*message)(void *user, const wm_message *m);
    /* One map event of a SERVER_BATCH_EVENT, a MessagePack value. */
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
    const uint8_t *event; /* the current map event; NULL: none */
    wm_mp_walk event_walk;
    wm_message_cost event_cost;
    wm_mp_reader events; /* behind the current map event */
    uint32_t events_left;
    struct {
        const uint8_t *items;
        uint32_t left;
    } envelopes[WM_MESSAGE_MAX_ENVELOPES]; /* the open ones, the outermost first */
    int depth;
} wm_frame_reader;

/* `memory`: the buffer that holds the frame, if the handler of a message that fills the frame may take
 * it over (wm_message.memory); else NULL. */
void wm_frame_reader_open(wm_frame_reader *r, const void *frame, size_t len, wm_buffer *memory);
/* Whether a part of the frame is left to read. */
bool wm_frame_reader_busy(const wm_frame_reader *r);
/* Reads one piece and calls at most one handler. Returns WM_OK, or a code < 0 of wm_message_parse or of the
 * handler: the rest of the frame is dropped then. */
int wm_frame_reader_next(wm_frame_reader *r, const wm_frame_handlers *handlers, void *user);
#endif
