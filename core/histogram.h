#ifndef WM_HISTOGRAM_H
#define WM_HISTOGRAM_H
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
void wm_histogram_record(wm_histogram *h, uint64_t value);
void wm_histogram_record_n(wm_histogram *h, uint64_t value, uint64_t count);
/* Adds every count of `from` to `into`: exact when both have the same digits
 * and what `from` has seen fits `into`, else by the middle of each of `from`'s
 * slots. The smallest and largest value stay exact. */
void wm_histogram_merge(wm_histogram *into, const wm_histogram *from);
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
/* Percentile distribution in the .hgrm text form that HDR plotters read;
 * values are divided by `scale` (1000 prints us as ms). 0, or -1 on a write
 * error. */
int wm_histogram_write_hgrm(const wm_histogram *h, FILE *out, int ticks_per_half, double scale);
#endif
