#ifndef WM_HISTOGRAM_H
#define WM_HISTOGRAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A log-linear HDR histogram of whole numbers: values keep `digits`
 * significant decimal digits over the whole range; recording allocates
 * nothing. Single-threaded. */
typedef struct wm_histogram wm_histogram;

/* Values 0 .. `max` (larger ones count as `max` and as overflows), 1..5
 * significant digits, `max` from 1 to 2^62 - 1. NULL when out of memory or out
 * of range. Free with
 * wm_histogram_free. */
wm_histogram *wm_histogram_new(uint64_t max, int digits);
void wm_histogram_free(wm_histogram *h);
void wm_histogram_reset(wm_histogram *h);
/* Callable through the FFI. */
__attribute__((visibility("default"))) void wm_histogram_record(wm_histogram *h, uint64_t value);
void wm_histogram_record_n(wm_histogram *h, uint64_t value, uint64_t count);
/* Adds every count of `from` to `into`: exact when both have the same digits
 * and what `from` has seen fits `into`, else by the middle of each of `from`'s
 * slots. The smallest and largest value stay exact. */
void wm_histogram_merge(wm_histogram *into, const wm_histogram *from);
/* Adds what `from` has counted since `before` was a copy of it, by the middle of each
 * slot; both have the same limit and digits. */
void wm_histogram_merge_since(wm_histogram *into, const wm_histogram *from, const wm_histogram *before);
uint64_t wm_histogram_count(const wm_histogram *h);
uint64_t wm_histogram_overflows(const wm_histogram *h);
/* Exact smallest and largest recorded value; 0 when empty. */
uint64_t wm_histogram_min(const wm_histogram *h);
uint64_t wm_histogram_max(const wm_histogram *h);
double wm_histogram_mean(const wm_histogram *h);
double wm_histogram_stddev(const wm_histogram *h);
/* The highest value equivalent to the one below which `percentile` per cent
 * (0..100) of the records lie, never above the exact maximum; 0 when empty. */
uint64_t wm_histogram_percentile(const wm_histogram *h, double percentile);
/* How many records lie in slots that end at or below `value`: exact up to the
 * width of a slot. */
uint64_t wm_histogram_count_to(const wm_histogram *h, uint64_t value);
uint64_t wm_histogram_limit(const wm_histogram *h);
int wm_histogram_digits(const wm_histogram *h);

/* Slots by their index, to store a histogram and to get it back: slot
 * (b << bits) + (v >> b) counts value v, where 2 << bits is the first power of
 * two at or above 2 * 10^digits, and b is how many bits v has beyond bits + 1. */

/* Finds the first slot at or after `*slot` that has counts. False: there is
 * none. */
bool wm_histogram_next_slot(const wm_histogram *h, size_t *slot, uint64_t *count);
/* Records `count` times the middle of that slot, within the limit. False, and
 * nothing changed: no such slot, or the total would not be exact in a double
 * (2^53). */
bool wm_histogram_add_slot(wm_histogram *h, size_t slot, uint64_t count);
/* The smallest and largest value as they were recorded, and how many were above
 * the limit. False, and nothing changed: they are not in the first and last
 * slot that have counts, or there are fewer records than overflows. */
bool wm_histogram_set_bounds(wm_histogram *h, uint64_t min, uint64_t max, uint64_t overflows);
/* Percentile distribution in the .hgrm text form that HDR plotters read;
 * values are divided by `scale` (1000 prints us as ms). 0, or -1 on a write
 * error. */
int wm_histogram_write_hgrm(const wm_histogram *h, FILE *out, int ticks_per_half, double scale);
#endif
