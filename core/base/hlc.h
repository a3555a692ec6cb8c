#ifndef WM_HLC_H
#define WM_HLC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hybrid logical clock: Unix milliseconds, and a counter for events of one millisecond. The time is
 * an argument; nothing here reads a clock. The rules are those of the reference implementation
 * (spec/vectors/hlc.json). */
typedef struct wm_hlc {
    uint64_t millis;
    uint64_t counter;
} wm_hlc;

/* A time of such a clock, and its writer. `node` is borrowed. */
typedef struct wm_timestamp {
    uint64_t millis;
    uint64_t counter;
    const char *node;
    size_t node_len;
} wm_timestamp;

/* The most by which a remote time may be ahead of the wall clock; beyond that it has drifted. */
#define WM_HLC_MAX_DRIFT_MS 60000
/* The largest millis or counter, 2^53 - 1: what a float64 holds exactly. */
#define WM_HLC_MAX UINT64_C(9007199254740991)

/* Advances the clock to the time of a local event at `wall_ms` (Unix milliseconds). */
void wm_hlc_now(wm_hlc *c, uint64_t wall_ms);
/* Merges a remote time. Returns false when it has drifted (WM_HLC_MAX_DRIFT_MS); it is merged all the
 * same, as the reference does by default. A time above WM_HLC_MAX is never merged: false. */
bool wm_hlc_update(wm_hlc *c, uint64_t wall_ms, uint64_t remote_millis, uint64_t remote_counter);
/* As wm_hlc_update, but a time that is ahead by more than `max_drift_ms` is refused: false, clock unchanged. */
bool wm_hlc_update_within(wm_hlc *c, uint64_t wall_ms, uint64_t remote_millis, uint64_t remote_counter,
                          uint64_t max_drift_ms);
/* Whether a server may say this time. Others could drag the clock along (millis from the year 10889 on), or fill the
 * memory with names of writers. */
bool wm_timestamp_is_possible(const wm_timestamp *t);
/* -1, 0 or 1 by millis, counter, node id (bytewise, as the v2 server; equal to
 * the 0.11 order for lower-case UUIDs). */
int wm_timestamp_compare(const wm_timestamp *a, const wm_timestamp *b);
/* Writes "millis:counter:node" and a NUL; returns the length without the NUL.
 * When that is not below `size` nothing but a NUL is written. */
size_t wm_timestamp_format(const wm_timestamp *t, char *out, size_t size);
/* Parses "millis:counter:node"; out->node points into `text` and may be empty. False for any other
 * text. The numbers must be decimal digits, and there must be no further ':'; the reference also
 * accepts signs, fractions and blanks. */
bool wm_timestamp_parse(const char *text, size_t len, wm_timestamp *out);
#endif
