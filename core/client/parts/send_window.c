#include "client/parts/send_window.h"

/* The smallest window: few enough for the slowest server to acknowledge them in time. */
#define LEAST_OPS 32u
/* The first: a whole batch, so that what a script writes first leaves in one message for each node. How long
 * an acknowledgement takes without waiting, the smallest one after it shows. */
#define FIRST_OPS 250u
#define MOST_OPS (1u << 20)
/* How long operations wait at the server, beside the round trip: enough for it to have work while an
 * acknowledgement and the next batch travel and either side is busy elsewhere. */
#define WAIT_US 25000u
/* Refusals this close to each other are one event: of batches that were in flight together. */
#define EVENT_US 50000u
#define CEILING_FIRST_US 10000000u
#define CEILING_LAST_US 160000000u
#define LEAST_SPAN_US 30000000u
/* Operations that are sent at intervals go in batches of this time. */
#define PACED_BATCH_US 50000u
#define GAP_SHORTEST_NS 1000u
#define GAP_LONGEST_NS 50000000u
/* How the interval is made shorter: each step by the 2^GAP_SHIFT-th part, and by twice as much after each
 * GAP_FASTER_US without a refusal, up to a sixteenth. */
#define GAP_STEP_US 125000u
#define GAP_SHIFT 8u
#define GAP_FASTER_US 4000000u

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint32_t within(uint64_t ops)
{
    if (ops < LEAST_OPS) return LEAST_OPS;
    return ops > MOST_OPS ? MOST_OPS : (uint32_t)ops;
}

static void begin_round(wm_send_window *w, uint64_t now_us)
{
    w->since_us = now_us;
    w->took_us = UINT64_MAX;
    w->acked = 0;
    w->was_full = false;
}

wm_send_window wm_send_window_new(uint64_t now_us)
{
    wm_send_window w = {
        .ops = FIRST_OPS, .is_first = true, .least_us = {UINT64_MAX, UINT64_MAX}, .least_since_us = now_us};
    begin_round(&w, now_us);
    return w;
}

/* A round with few operations in flight. */
static void look(wm_send_window *w, uint32_t ops, uint64_t now_us)
{
    w->kept = w->ops;
    w->ops = ops;
    begin_round(w, now_us);
}

/* The shortest time is measured anew. */
static void look_again(wm_send_window *w, uint64_t now_us)
{
    w->least_us[1] = w->least_us[0];
    w->least_us[0] = UINT64_MAX;
    w->least_since_us = now_us;
    look(w, within(w->ops / 4), now_us);
}

/* The window for what operations took, of which `target_us` is wished. */
static uint64_t follow(const wm_send_window *w, uint64_t target_us)
{
    if (w->took_us > target_us) return w->ops - w->ops * least(w->took_us - target_us, w->took_us / 4) / w->took_us;
    if (!w->was_full) return w->ops;
    return w->ops + w->ops * least(target_us - w->took_us, WAIT_US) / WAIT_US;
}

static void end_round(wm_send_window *w, uint64_t now_us)
{
    if (w->is_first) {
        w->is_first = false;
        look(w, LEAST_OPS, now_us);
        return;
    }
    uint64_t target_us = least(w->least_us[0], w->least_us[1]) + WAIT_US;
    if (w->ops == LEAST_OPS && w->took_us > target_us) w->least_us[0] = w->least_us[1] = w->took_us;
    w->ops = w->kept > 0 ? w->kept : within(follow(w, target_us));
    w->kept = 0;
    if (now_us < w->ceiling_until_us && w->ops > w->ceiling) w->ops = w->ceiling;
    if (now_us - w->least_since_us >= LEAST_SPAN_US) look_again(w, now_us);
    else begin_round(w, now_us);
}

static void speed_up(wm_send_window *w, uint64_t now_us)
{
    if (w->gap_ns == 0 || now_us - w->gap_changed_us < GAP_STEP_US) return;
    w->gap_ns -= w->gap_ns >> (GAP_SHIFT - least((now_us - w->refused_us) / GAP_FASTER_US, GAP_SHIFT / 2));
    w->gap_changed_us = now_us;
    if (w->gap_ns < GAP_SHORTEST_NS) w->gap_ns = 0;
}

void wm_send_window_acked(wm_send_window *w, const wm_send_ack *ack, uint64_t now_us)
{
    if (!w->is_first) w->least_us[0] = least(w->least_us[0], ack->took_us);
    w->rate = (uint32_t)least((uint64_t)ack->in_flight * 1000000 / (ack->took_us + 1), UINT32_MAX);
    w->taken += ack->ops;
    speed_up(w, now_us);
    if (now_us - ack->took_us < w->since_us) return; /* it was sent by the window of the round before */
    w->took_us = least(w->took_us, ack->took_us);
    w->acked += ack->ops;
    w->was_full = w->was_full || ack->is_full;
    if (w->acked >= w->ops || !ack->is_full) end_round(w, now_us);
}

/* The rate that the server was seen to take; 0: that is not known. */
static uint64_t taken_rate(const wm_send_window *w, uint64_t now_us)
{
    if (w->paced_us != 0 && w->gap_ns > 0) return (uint64_t)w->taken * 1000000 / (now_us - w->paced_us + 1);
    return w->rate / 2; /* it is more than what it can take */
}

static void slow_down(wm_send_window *w, uint64_t now_us)
{
    uint64_t rate = taken_rate(w, now_us);
    uint64_t gap_ns = rate > 0 ? UINT64_C(1000000000) / rate : (uint64_t)w->gap_ns * 2;
    w->gap_ns = (uint32_t)least(gap_ns + gap_ns / 4 + GAP_SHORTEST_NS, GAP_LONGEST_NS);
    w->gap_changed_us = w->paced_us = now_us;
    w->taken = 0;
}

/* So many operations were too many. */
static void narrow(wm_send_window *w, uint32_t refused, uint64_t now_us)
{
    w->refused_at = refused;
    w->ceiling = within((uint64_t)refused * 7 / 8);
    w->ops = within((uint64_t)refused * 5 / 8);
    w->kept = 0;
    begin_round(w, now_us);
}

static void set_ceiling(wm_send_window *w, uint64_t now_us)
{
    bool again = w->ceiling_until_us != 0 && now_us < w->ceiling_until_us + w->ceiling_for_us;
    w->ceiling_for_us = again ? least(w->ceiling_for_us * 2, CEILING_LAST_US) : CEILING_FIRST_US;
    w->ceiling_until_us = now_us + w->ceiling_for_us;
}

void wm_send_window_refused(wm_send_window *w, uint32_t batches, uint32_t ops, bool is_rate, uint64_t now_us)
{
    bool is_same = w->refused_us != 0 && now_us - w->refused_us < EVENT_US;
    uint32_t batch = batches > 0 ? ops / batches : ops;
    w->refused_us = now_us;
    if (is_rate) {
        if (!is_same) slow_down(w, now_us);
    } else if (is_same) { /* another one of those in flight: the others fitted */
        narrow(w, w->refused_at > batch ? w->refused_at - batch : 0, now_us);
    } else {
        set_ceiling(w, now_us);
        narrow(w, (uint32_t)least(w->ops, ops), now_us);
    }
}

uint32_t wm_send_window_batch(const wm_send_window *w, uint32_t most)
{
    if (w->gap_ns == 0) return most;
    uint64_t paced = PACED_BATCH_US * UINT64_C(1000) / w->gap_ns + 1;
    return (uint32_t)least(paced, most);
}

uint64_t wm_send_window_pause_us(const wm_send_window *w, uint32_t ops)
{
    return (uint64_t)w->gap_ns * ops / 1000;
}
