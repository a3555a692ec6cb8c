/* Buckets of doubling width, each cut into equal sub-buckets, so that the
 * width of a slot stays below one part in 10^digits of its values. The first
 * bucket has all its sub-buckets; of each later one only the upper half is
 * needed, as the lower half belongs to the bucket before. */
#include "base/histogram.h"

#include <math.h>
#include <stdlib.h>

#define MAX_DIGITS 5
/* Totals up to here are exact where they are added as doubles. */
#define MAX_TOTAL (UINT64_C(1) << 53)
/* Keeps every sum of a value and a slot's width within 64 bits. */
#define MAX_TRACKABLE (UINT64_MAX >> 2)

struct wm_histogram {
    uint64_t limit; /* the largest value that is kept as it is */
    int digits;
    int half_bits;  /* log2 of half a bucket's sub-buckets */
    uint64_t first; /* the largest value of the first bucket */
    int buckets;
    size_t slots;
    uint64_t total;
    uint64_t overflows;
    uint64_t min; /* UINT64_MAX while empty */
    uint64_t max;
    uint64_t counts[];
};

static uint64_t sub_buckets(const wm_histogram *h)
{
    return UINT64_C(2) << h->half_bits;
}

/* Which bucket holds a value: its highest bit beyond the first bucket's. */
static int bucket_of(const wm_histogram *h, uint64_t value)
{
    return 63 - __builtin_clzll(value | h->first) - h->half_bits;
}

static size_t slot_of(const wm_histogram *h, uint64_t value)
{
    int bucket = bucket_of(h, value);
    return ((size_t)bucket << h->half_bits) + (size_t)(value >> bucket);
}

static int bucket_of_slot(const wm_histogram *h, size_t slot)
{
    size_t half = slot >> h->half_bits;
    return half < 2 ? 0 : (int)half - 1;
}

static uint64_t lowest(const wm_histogram *h, size_t slot)
{
    int bucket = bucket_of_slot(h, slot);
    return (uint64_t)(slot - ((size_t)bucket << h->half_bits)) << bucket;
}

static uint64_t highest(const wm_histogram *h, size_t slot)
{
    return lowest(h, slot) + (UINT64_C(1) << bucket_of_slot(h, slot)) - 1;
}

static uint64_t middle(const wm_histogram *h, size_t slot)
{
    return lowest(h, slot) + (UINT64_C(1) << bucket_of_slot(h, slot) >> 1);
}

wm_histogram *wm_histogram_new(uint64_t max, int digits)
{
    if (max < 1 || max > MAX_TRACKABLE || digits < 1 || digits > MAX_DIGITS) return NULL;
    uint64_t single_steps = 2; /* up to here every whole number has its slot */
    for (int i = 0; i < digits; i++) single_steps *= 10;
    wm_histogram shape = {.limit = max, .digits = digits};
    while (sub_buckets(&shape) < single_steps) shape.half_bits++;
    shape.first = sub_buckets(&shape) - 1;
    shape.buckets = bucket_of(&shape, max) + 1;
    shape.slots = (size_t)(shape.buckets + 1) << shape.half_bits;

    wm_histogram *h = malloc(sizeof *h + shape.slots * sizeof h->counts[0]);
    if (h == NULL) return NULL;
    *h = shape;
    wm_histogram_reset(h);
    return h;
}

void wm_histogram_free(wm_histogram *h)
{
    free(h);
}

void wm_histogram_reset(wm_histogram *h)
{
    h->total = 0;
    h->overflows = 0;
    h->min = UINT64_MAX;
    h->max = 0;
    for (size_t i = 0; i < h->slots; i++) h->counts[i] = 0;
}

static inline void add(wm_histogram *h, uint64_t value, uint64_t count)
{
    if (value > h->limit) {
        value = h->limit;
        h->overflows += count;
    }
    h->counts[slot_of(h, value)] += count;
    h->total += count;
    if (value < h->min) h->min = value;
    if (value > h->max) h->max = value;
}

void wm_histogram_record_n(wm_histogram *h, uint64_t value, uint64_t count)
{
    if (count > 0) add(h, value, count);
}

void wm_histogram_record(wm_histogram *h, uint64_t value)
{
    add(h, value, 1);
}

void wm_histogram_merge(wm_histogram *into, const wm_histogram *from)
{
    if (from->total == 0) return;
    uint64_t min = from->min < into->min ? from->min : into->min;
    uint64_t max = from->max > into->max ? from->max : into->max;
    uint64_t overflows = into->overflows + from->overflows;

    if (into->digits == from->digits && from->max <= into->limit) {
        size_t last = slot_of(from, from->max);
        for (size_t i = slot_of(from, from->min); i <= last; i++) into->counts[i] += from->counts[i];
        into->total += from->total;
    } else {
        for (size_t i = 0; i < from->slots; i++) {
            uint64_t value = middle(from, i);
            if (from->counts[i] == 0) continue;
            if (value > from->max) value = from->max;
            uint64_t before = into->overflows;
            wm_histogram_record_n(into, value, from->counts[i]);
            overflows += into->overflows - before;
        }
    }
    into->min = min < into->limit ? min : into->limit;
    into->max = max < into->limit ? max : into->limit;
    into->overflows = overflows;
}

void wm_histogram_merge_since(wm_histogram *into, const wm_histogram *from, const wm_histogram *before)
{
    if (from->total == before->total) return;
    size_t last = slot_of(from, from->max);
    for (size_t i = slot_of(from, from->min); i <= last; i++) {
        uint64_t value = middle(from, i);
        if (value > from->max) value = from->max;
        wm_histogram_record_n(into, value, from->counts[i] - before->counts[i]);
    }
}

uint64_t wm_histogram_count(const wm_histogram *h)
{
    return h->total;
}

uint64_t wm_histogram_overflows(const wm_histogram *h)
{
    return h->overflows;
}

uint64_t wm_histogram_min(const wm_histogram *h)
{
    return h->total ? h->min : 0;
}

uint64_t wm_histogram_max(const wm_histogram *h)
{
    return h->max;
}

double wm_histogram_mean(const wm_histogram *h)
{
    if (h->total == 0) return 0;
    double sum = 0;
    for (size_t i = 0; i < h->slots; i++)
        if (h->counts[i]) sum += (double)middle(h, i) * (double)h->counts[i];
    return sum / (double)h->total;
}

double wm_histogram_stddev(const wm_histogram *h)
{
    if (h->total == 0) return 0;
    double mean = wm_histogram_mean(h), squares = 0;
    for (size_t i = 0; i < h->slots; i++) {
        if (h->counts[i] == 0) continue;
        double off = (double)middle(h, i) - mean;
        squares += off * off * (double)h->counts[i];
    }
    return sqrt(squares / (double)h->total);
}

/* What a slot is reported as. A slot is wider than what was seen in it, so the
 * exact maximum bounds it. */
static uint64_t reported(const wm_histogram *h, size_t slot)
{
    uint64_t value = highest(h, slot);
    return value < h->max ? value : h->max;
}

uint64_t wm_histogram_percentile(const wm_histogram *h, double percentile)
{
    if (h->total == 0) return 0;
    if (!(percentile > 0)) return h->min;
    if (percentile >= 100) return h->max;
    /* The next lower number makes up for 99.9 being a little more than 99.9. */
    double wanted = ceil(nextafter(percentile, 0) / 100 * (double)h->total);
    uint64_t seen = 0;
    for (size_t i = 0; i < h->slots; i++) {
        seen += h->counts[i];
        if (seen > 0 && (double)seen >= wanted) return reported(h, i);
    }
    return h->max;
}

uint64_t wm_histogram_count_to(const wm_histogram *h, uint64_t value)
{
    uint64_t seen = 0;
    if (value >= h->max) return h->total;
    for (size_t i = 0; i < h->slots && reported(h, i) <= value; i++) seen += h->counts[i];
    return seen;
}

uint64_t wm_histogram_limit(const wm_histogram *h)
{
    return h->limit;
}

int wm_histogram_digits(const wm_histogram *h)
{
    return h->digits;
}

bool wm_histogram_next_slot(const wm_histogram *h, size_t *slot, uint64_t *count)
{
    if (h->total == 0) return false;
    for (size_t i = *slot, last = slot_of(h, h->max); i <= last; i++) {
        if (h->counts[i] == 0) continue;
        *slot = i;
        *count = h->counts[i];
        return true;
    }
    return false;
}

bool wm_histogram_add_slot(wm_histogram *h, size_t slot, uint64_t count)
{
    if (slot > slot_of(h, h->limit)) return false;
    if (h->total > MAX_TOTAL || count > MAX_TOTAL - h->total) return false;
    uint64_t value = middle(h, slot);
    wm_histogram_record_n(h, value < h->limit ? value : h->limit, count);
    return true;
}

bool wm_histogram_set_bounds(wm_histogram *h, uint64_t min, uint64_t max, uint64_t overflows)
{
    if (h->total == 0) return min == 0 && max == 0 && overflows == 0;
    if (min > max || max > h->limit || overflows > h->total) return false;
    if (slot_of(h, min) != slot_of(h, h->min) || slot_of(h, max) != slot_of(h, h->max)) return false;
    h->min = min;
    h->max = max;
    h->overflows = overflows;
    return true;
}

/* The next percentile to print: the distance to 100 halves after each
 * `ticks_per_half` lines. */
static double next_level(double level, int ticks_per_half)
{
    double halvings = floor(log2(100 / (100 - level)));
    return level + 100 / (ticks_per_half * exp2(halvings + 1));
}

static bool write_line(const wm_histogram *h, FILE *out, size_t slot, double level, uint64_t seen, double scale)
{
    double value = (double)reported(h, slot) / scale;
    unsigned long long n = seen;
    if (level >= 100) return fprintf(out, "%12.*f %2.12f %10llu\n", h->digits, value, 1.0, n) > 0;
    return fprintf(out, "%12.*f %2.12f %10llu %14.2f\n", h->digits, value, level / 100, n, 1 / (1 - level / 100)) > 0;
}

static bool write_lines(const wm_histogram *h, FILE *out, int ticks_per_half, double scale)
{
    uint64_t seen = 0;
    double level = 0;
    for (size_t i = 0; i < h->slots && seen < h->total; i++) {
        if (h->counts[i] == 0) continue;
        seen += h->counts[i];
        double reached = 100 * ((double)seen / (double)h->total);
        while (level < 100 && reached >= level) {
            if (!write_line(h, out, i, level, seen, scale)) return false;
            level = next_level(level, ticks_per_half);
            if (seen == h->total) break;
        }
        if (seen == h->total && !write_line(h, out, i, 100, seen, scale)) return false;
    }
    return true;
}

int wm_histogram_write_hgrm(const wm_histogram *h, FILE *out, int ticks_per_half, double scale)
{
    if (ticks_per_half < 1) ticks_per_half = 1;
    if (fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)") < 0) return -1;
    if (!write_lines(h, out, ticks_per_half, scale)) return -1;
    if (fprintf(out, "#[Mean    = %12.*f, StdDeviation   = %12.*f]\n", h->digits, wm_histogram_mean(h) / scale,
                h->digits, wm_histogram_stddev(h) / scale) < 0 ||
        fprintf(out, "#[Max     = %12.*f, Total count    = %12llu]\n", h->digits, (double)h->max / scale,
                (unsigned long long)h->total) < 0 ||
        fprintf(out, "#[Buckets = %12d, SubBuckets     = %12llu]\n", h->buckets,
                (unsigned long long)sub_buckets(h)) < 0)
        return -1;
    return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}
