#include "base/hlc.h"

#include <stdio.h>
#include <string.h>

#define POSSIBLE_MILLIS ((uint64_t)1 << 48)
#define POSSIBLE_NODE 256u

/* The next event within the same millisecond. A counter that no peer could
 * hold exactly runs over into the milliseconds, as in the v2 server. */
static void count(wm_hlc *c, uint64_t counter)
{
    if (counter < WM_HLC_MAX) {
        c->counter = counter + 1;
        return;
    }
    c->counter = 0;
    c->millis++;
}

void wm_hlc_now(wm_hlc *c, uint64_t wall_ms)
{
    if (wall_ms > c->millis) {
        c->millis = wall_ms;
        c->counter = 0;
        return;
    }
    count(c, c->counter);
}

static bool drifted(uint64_t wall_ms, uint64_t remote_millis, uint64_t max_drift_ms)
{
    return remote_millis > wall_ms && remote_millis - wall_ms > max_drift_ms;
}

static bool usable(uint64_t remote_millis, uint64_t remote_counter)
{
    return remote_millis < WM_HLC_MAX && remote_counter <= WM_HLC_MAX;
}

static void merge(wm_hlc *c, uint64_t wall_ms, uint64_t remote_millis, uint64_t remote_counter)
{
    uint64_t last = c->millis;
    uint64_t latest = last > wall_ms ? last : wall_ms;
    if (remote_millis > latest) latest = remote_millis;

    uint64_t counter = c->counter;
    bool from_last = latest == last, from_remote = latest == remote_millis;
    if (from_remote && (!from_last || remote_counter > counter)) counter = remote_counter;
    c->millis = latest;
    if (from_last || from_remote) count(c, counter);
    else c->counter = 0;
}

bool wm_hlc_update(wm_hlc *c, uint64_t wall_ms, uint64_t remote_millis, uint64_t remote_counter)
{
    if (!usable(remote_millis, remote_counter)) return false;
    merge(c, wall_ms, remote_millis, remote_counter);
    return !drifted(wall_ms, remote_millis, WM_HLC_MAX_DRIFT_MS);
}

bool wm_hlc_update_within(wm_hlc *c, uint64_t wall_ms, uint64_t remote_millis, uint64_t remote_counter,
                          uint64_t max_drift_ms)
{
    if (!usable(remote_millis, remote_counter) || drifted(wall_ms, remote_millis, max_drift_ms)) return false;
    merge(c, wall_ms, remote_millis, remote_counter);
    return true;
}

bool wm_timestamp_is_possible(const wm_timestamp *t)
{
    if (t->millis > POSSIBLE_MILLIS || t->counter > UINT32_MAX) return false;
    return t->node_len <= POSSIBLE_NODE && memchr(t->node, 0, t->node_len) == NULL;
}

int wm_timestamp_compare(const wm_timestamp *a, const wm_timestamp *b)
{
    if (a->millis != b->millis) return a->millis < b->millis ? -1 : 1;
    if (a->counter != b->counter) return a->counter < b->counter ? -1 : 1;
    size_t shorter = a->node_len < b->node_len ? a->node_len : b->node_len;
    int order = shorter ? memcmp(a->node, b->node, shorter) : 0;
    if (order != 0) return order < 0 ? -1 : 1;
    if (a->node_len == b->node_len) return 0;
    return a->node_len < b->node_len ? -1 : 1;
}

size_t wm_timestamp_format(const wm_timestamp *t, char *out, size_t size)
{
    char numbers[48];
    int n = snprintf(numbers, sizeof numbers, "%llu:%llu:", (unsigned long long)t->millis,
                     (unsigned long long)t->counter);
    size_t need = (size_t)n + t->node_len;
    if (need < size) {
        memcpy(out, numbers, (size_t)n);
        if (t->node_len) memcpy(out + n, t->node, t->node_len);
        out[need] = '\0';
    } else if (size > 0) {
        out[0] = '\0';
    }
    return need;
}

/* Decimal digits up to a ':'; the position after it, or NULL. */
static const char *parse_number(const char *p, const char *end, uint64_t *out)
{
    const char *start = p;
    uint64_t v = 0;
    for (; p != end && *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10) return NULL;
        v = v * 10 + digit;
    }
    if (p == start || p == end || *p != ':') return NULL;
    *out = v;
    return p + 1;
}

bool wm_timestamp_parse(const char *text, size_t len, wm_timestamp *out)
{
    wm_timestamp t;
    const char *end = text + len;
    const char *p = parse_number(text, end, &t.millis);
    if (p == NULL || (p = parse_number(p, end, &t.counter)) == NULL) return false;
    t.node = p;
    t.node_len = (size_t)(end - p);
    if (memchr(p, ':', t.node_len) != NULL) return false;
    *out = t;
    return true;
}
