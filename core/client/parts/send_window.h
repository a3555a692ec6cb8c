#ifndef WM_SEND_WINDOW_H
#define WM_SEND_WINDOW_H
#include <stdbool.h>
#include <stdint.h>

/* The send window of one connection: how many operations may be in flight. It follows what the server does.
 *
 * Acknowledgements. Once a server works without a pause, more operations in flight only wait longer there. So the
 * window aims at a time to the acknowledgement: the shortest that was seen, which is that of operations that do not
 * wait, plus 25 ms. In rounds of one window of acknowledged operations it grows, at most to twice its size, while the
 * time is below that, and shrinks, by up to a quarter, while it is above. It grows only if operations wait for space
 * in it. The shortest time is that of the last 30 to 60 s; every 30 s the window is small for one round, so that a time
 * without waiting is seen. If the smallest window takes longer than the aim, the server or the network has become
 * slower, and that time is the shortest from then on.
 *
 * Refusals for want of space (a worker's inbox is full). The window shrinks, and stays below the size that was refused
 * for a while.
 *
 * Refusals for the rate (a rate limit, a disk that cannot keep up). The time to the acknowledgement does not show these,
 * so batches leave at intervals from then on. At both of two such refusals the server was full; so what it took between
 * them is the rate that it can take. Batches leave at four fifths of it, so that the full queue empties. The rate grows
 * by a thirtieth each second, and faster after some seconds without a refusal.
 *
 * Integers only; times are microseconds. */
typedef struct wm_send_window {
    uint32_t ops;              /* operations in flight at most */
    uint32_t ceiling;          /* not above this until ceiling_until_us */
    uint64_t ceiling_until_us; /* 0: there is no ceiling */
    uint64_t ceiling_for_us;   /* how long the last one was for */
    uint64_t refused_us;       /* when the last refusal came; 0: none did */
    uint32_t refused_at;       /* operations in flight when it came, without those of refused batches */
    uint32_t taken;            /* operations that were acknowledged since the last refusal for their rate */
    uint64_t paced_us;         /* when that was; 0: none came */
    uint64_t since_us;         /* batches that were cut since then are of this round */
    uint64_t took_us;          /* the shortest time to an acknowledgement in this round; UINT64_MAX: none came */
    uint32_t acked;            /* operations that were acknowledged in this round */
    bool is_first;             /* no round has ended yet */
    bool was_full;             /* the window held operations back in this round */
    uint64_t least_us[2];      /* the shortest time to an acknowledgement of the present 30 s, and of the 30 s before */
    uint64_t least_since_us;
    uint32_t kept;           /* the window after this round, which is to show that time; 0: it is no such round */
    uint32_t gap_ns;         /* between two operations; 0: batches leave as the window allows */
    uint64_t gap_changed_us; /* when it was last made shorter or longer */
    uint32_t rate;           /* operations a second at the last acknowledgement: those in flight by its time */
} wm_send_window;

/* The window of a connection that has just become ready. */
wm_send_window wm_send_window_new(uint64_t now_us);
/* What is known when a batch is acknowledged. */
typedef struct wm_send_ack {
    uint32_t ops;       /* in the batch */
    uint32_t in_flight; /* operations, with these */
    bool is_full;       /* operations wait for space in the window */
    uint64_t took_us;   /* since the batch was cut */
} wm_send_ack;

void wm_send_window_acked(wm_send_window *w, const wm_send_ack *ack, uint64_t now_us);
/* The server refused one of `batches` that were in flight, with `ops` operations in all; `is_rate`: because of
 * their rate. */
void wm_send_window_refused(wm_send_window *w, uint32_t batches, uint32_t ops, bool is_rate, uint64_t now_us);
/* The most operations of one batch, of `most` that are allowed otherwise. */
uint32_t wm_send_window_batch(const wm_send_window *w, uint32_t most);
/* How long to wait after a batch of `ops` operations before the next one; 0: not at all. */
uint64_t wm_send_window_pause_us(const wm_send_window *w, uint32_t ops);
#endif
