#ifndef WM_HISTOGRAM_H
#define WM_HISTOGRAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A log-linear histogram of whole numbers (HDR): all values are kept with `digits` significant decimal
 * digits. Recording allocates nothing. Single-threaded. */
typedef struct wm_histogram wm_histogram;

/* For values 0 .. `max`; larger ones count as `max` and as overflows. `max`: 1 to 2^62 - 1; `digits`: 1
 * to 5. NULL when out of memory, or an argument is out of range. Free with wm_histogram_free. */
wm_histogram *wm_histogram_new(uint64_t max, int digits);
void wm_histogram_free(wm_histogram *h);
/* Removes all counts; `max` and `digits` stay. */
void wm_histogram_reset(wm_histogram *h);
/* Counts a value once, or `count` times. The first is callable through the FFI. */
__attribute__((visibility("default"))) void wm_histogram_record(wm_histogram *h, uint64_t value);
void wm_histogram_record_n(wm_histogram *h, uint64_t value, uint64_t count);
/* Adds the counts of `from` to `into`. This is exact when both have the same digits and the values of
 * `from` are within the limit of `into`; else each slot of `from` counts as its middle. The smallest
 * and largest values stay exact. */
void wm_histogram_merge(wm_histogram *into, const wm_histogram *from);
/* Adds what `from` has counted since `before`, an earlier copy of it with the same `max` and `digits`;
 * each slot counts as its middle. */
void wm_histogram_merge_since(wm_histogram *into, const wm_histogram *from, const wm_histogram *before);
/* The number of recorded values, and how many of them were above `max`. */
uint64_t wm_histogram_count(const wm_histogram *h);
uint64_t wm_histogram_overflows(const wm_histogram *h);
/* Exact smallest and largest recorded value; 0 when empty. */
uint64_t wm_histogram_min(const wm_histogram *h);
uint64_t wm_histogram_max(const wm_histogram *h);
/* Mean and standard deviation, in which each slot counts as its middle; 0 when empty. */
double wm_histogram_mean(const wm_histogram *h);
double wm_histogram_stddev(const wm_histogram *h);
/* The value at a percentile (0..100): the highest value of its slot, at most the exact maximum; 0 when
 * empty. */
uint64_t wm_histogram_percentile(const wm_histogram *h, double percentile);
/* The number of records in slots that end at or below `value`. */
uint64_t wm_histogram_count_to(const wm_histogram *h, uint64_t value);
/* `max` and `digits` of wm_histogram_new. */
uint64_t wm_histogram_limit(const wm_histogram *h);
int wm_histogram_digits(const wm_histogram *h);

/* Slots by index, for storing and restoring a histogram. 2 << bits is the smallest power of two that is
 * at least 2 * 10^digits. A value v whose binary length exceeds bits + 1 by b (b = 0 for shorter ones)
 * is counted in slot (b << bits) + (v >> b). */

/* Moves *slot to the first slot at or after it that has counts, and sets *count. False when there is
 * none. */
bool wm_histogram_next_slot(const wm_histogram *h, size_t *slot, uint64_t *count);
/* Records the middle of a slot, at most the limit, `count` times. False, and nothing changed, when
 * there is no such slot, or the total would exceed 2^53. */
bool wm_histogram_add_slot(wm_histogram *h, size_t slot, uint64_t count);
/* Sets the exact smallest and largest value, and the number of overflows. False, and nothing changed,
 * when the values are not in the first and the last slot with counts, or there are fewer records than
 * overflows. */
bool wm_histogram_set_bounds(wm_histogram *h, uint64_t min, uint64_t max, uint64_t overflows);
/* Writes the percentile distribution as .hgrm, the text format of HDR plotters. Values are divided by
 * `scale` (1000 prints us as ms). `ticks_per_half`: lines for each halving of the distance to 100 %.
 * 0, or -1 on a write error. */
int wm_histogram_write_hgrm(const wm_histogram *h, FILE *out, int ticks_per_half, double scale);
#endif
