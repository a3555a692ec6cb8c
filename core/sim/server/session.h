#ifndef SIM_SESSION_H
#define SIM_SESSION_H
#include "base/buffer.h"
#include "sim/wire/delay.h"

/* One client at one node, as the protocol sees it: authentication, what is
 * subscribed, what waits to be sent. How frames travel is the link's business. */

struct sim_node;
struct sim_subscription;

/* Where a session's frames go: a socket, or memory for tests. */
typedef struct sim_link {
    void (*frame)(void *link, bool text, const uint8_t *bytes, size_t len);
    /* Sends a close frame, code 0: one without a code, and ends the connection
     * when the other side has answered. Calls sim_session_end later. */
    void (*close)(void *link, int code, const char *reason);
    /* Ends the connection at once, by RST when `reset`; calls sim_session_end. */
    void (*drop)(void *link, bool reset);
} sim_link;

typedef struct sim_session {
    struct sim_node *node;
    struct sim_session *next;
    struct sim_session *prev;
    uint64_t number; /* from 1, in the order of opening, of the whole cluster */
    const sim_link *link;
    void *link_data;
    struct sim_subscription *subscriptions;
    sim_delays delays;
    wm_buffer queue; /* 0.11: messages of a coming BATCH, each after its u32 LE length */
    uint32_t queued;
    bool flush_armed;
    bool authenticated;
    bool closing; /* nothing is handled or sent any more */
    double tokens; /* of the rate limit, refilled up to tokens_at_ms */
    uint64_t tokens_at_ms;
    uint64_t last_ping_ms;
    uint64_t event_stamp; /* the last event that was sent here, so that none is sent twice */
} sim_session;

/* A client has connected (the upgrade is done). */
sim_session *sim_session_open(struct sim_node *node, const sim_link *link, void *link_data);
/* The connection is gone; frees the session. */
void sim_session_end(sim_session *s);
/* A frame has arrived: dispatch.c. */
void sim_session_receive(sim_session *s, bool text, const uint8_t *bytes, size_t len);
/* The same for a frame that is in the dialect's form already. */
void sim_session_handle(sim_session *s, const uint8_t *bytes, size_t len);

/* Sends a message: in a BATCH with others where the dialect does that. */
void sim_session_send(sim_session *s, const wm_buffer *message);
/* Sends at once, past what waits. */
void sim_session_send_now(sim_session *s, const wm_buffer *message);
void sim_session_send_text(sim_session *s, const wm_buffer *text);
/* Sends what waits, then a close frame; code 0: without a code. */
void sim_session_close(sim_session *s, int code, const char *reason);
/* Takes `cost` operations from the rate limit; false when there are not enough. */
bool sim_session_spend(sim_session *s, double cost);
/* Whether this client may do more than authenticate. */
bool sim_session_ready(const sim_session *s);
#endif
