#ifndef WM_SEND_WINDOW_H
#define WM_SEND_WINDOW_H
#include <stdbool.h>
#include <stdint.h>

/* The send window of one connection: how many operations may be in flight, found by what the server does.
 *
 * Acknowledgements: once a server works without a pause, more operations in flight only wait longer there.
 * So the window follows the time to the acknowledgement. It is doubled at most for each window that was
 * acknowledged, as long as that time is below the shortest one plus 25 ms, and shrinks by up to a quarter above
 * it; it stays where operations wait for 25 ms, whatever the server's rate and distance are. It grows only
 * while it is what holds operations back. The shortest time is that of the last 30 to 60 s: as often the
 * window is small for one round, so that a time without waiting is seen. If the smallest window waits
 * longer than that, the server or the network has become slower, and its time is the shortest from then on.
 *
 * Refusals: of what a server has no place for (its workers' inboxes are full) less is sent at once, and for
 * a while the window stays below the size that was refused. What comes too fast (a rate limit, a disk that
 * cannot keep up) shows in no acknowledgement's time; so batches leave at intervals then. What a server
 * took between two such refusals, at both of which it was full, is what it can take in that time. The rate
 * is a fifth less then, as a queue that was full lasts, and grows by a thirtieth each second, and faster after some
 * seconds without a refusal.
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
    bool is_full;       /* operations wait for room in the window */
    uint64_t took_us;   /* since the batch was cut */
} wm_send_ack;

void wm_send_window_acked(wm_send_window *w, const wm_send_ack *ack, uint64_t now_us);
/* The server refused one of `batches` that were in flight, with `ops` operations in all; `is_rate`: because of
 * their rate. */
void wm_send_window_refused(wm_send_window *w, uint32_t batches, uint32_t ops, bool is_rate, uint64_t now_us);
/* The most operations of one batch, of `most` that are allowed otherwise. */
uint32_t wm_send_window_batch(const wm_send_window *w, uint32_t most);
/* How long to wait after a batch of so many operations before the next one; 0: not at all. */
uint64_t wm_send_window_pause_us(const wm_send_window *w, uint32_t ops);
#endif
