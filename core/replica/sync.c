#include "replica/sync.h"

/* So long after the last event the roots are compared, and after an answer that differs, events are waited
 * for. */
#define TRAILING_US 100000u
/* Silence about a root, or about a place and the one above it. */
#define SILENCE_US 20000000u
/* Walks, or silent questions, in a row after which there are pauses between comparisons; and after which these grow, if
 * they found nothing. While others write without end each walk finds something, and the roots may never be equal. */
#define PATIENCE 3u
#define PAUSE_MAX_US 30000000u
/* Walks after which a map that changes counts as read. */
#define READ_WALKS 2u
/* What the first answer about a root is taken for at most, and how much longer than the one before a later one. Head holds
 * answers back for 5 s after a subscription, also of another map: those say nothing of what a comparison costs. */
#define FIRST_ANSWER_US 100000u
#define ANSWER_GROWTH 2u
/* A node spends at most one part in so many of its time on comparisons: head lists the map for each. */
#define ANSWER_SHARE 20u

void wm_sync_init(wm_sync *s, wm_holding *holding, const wm_sync_hooks *hooks, int node_index)
{
    *s = (wm_sync){.holding = holding, .hooks = hooks, .node_index = node_index, .connection = -1};
}

void wm_sync_close(wm_sync *s)
{
    wm_walk_end(&s->walk);
}

void wm_sync_connected(wm_sync *s, int connection)
{
    wm_sync_disconnected(s);
    s->connection = connection;
    s->state = WM_SYNC_WAITING;
    s->is_new = s->is_hurried = true;
}

void wm_sync_disconnected(wm_sync *s)
{
    wm_walk_end(&s->walk);
    s->state = WM_SYNC_OFF;
    s->connection = -1;
    s->in_vain = s->idle = 0;
    s->is_new = s->is_hurried = s->is_resting = false;
}

bool wm_sync_is_read(const wm_sync *s)
{
    return s->state != WM_SYNC_OFF && (!s->is_new || s->in_vain >= READ_WALKS);
}

void wm_sync_hurry(wm_sync *s)
{
    s->is_hurried = true;
}

void wm_sync_run_short(wm_sync *s)
{
    s->is_short = s->is_resting = true;
}

void wm_sync_resume(wm_sync *s)
{
    if (!s->is_resting) return;
    s->is_resting = false;
    s->is_hurried = true;
    s->in_vain = s->idle = 0;
}

/* -- comparing ------------------------------------------------------------------------- */

static uint32_t root_of(const wm_sync *s)
{
    return wm_merkle_sums_root(wm_holding_sums(s->holding));
}

static void note_root(wm_sync *s)
{
    s->roots[s->root_count++ % WM_SYNC_ROOTS] = root_of(s);
}

/* Whether the holding had the root that was answered at some time since the question was sent. */
static bool had_root(const wm_sync *s)
{
    uint32_t known = s->root_count < WM_SYNC_ROOTS ? s->root_count : WM_SYNC_ROOTS;
    for (uint32_t i = 0; i < known; i++)
        if (s->roots[i] == s->root) return true;
    return false;
}

static void become_equal(wm_sync *s, uint64_t now_us)
{
    s->hooks->equal(s->hooks->user, s, s->asked_seen);
    s->state = WM_SYNC_WAITING;
    /* The subscription may have begun after the answer: compare once more, as if something had happened. */
    if (s->is_new) s->changed_us = s->event_us = now_us;
    s->is_new = s->is_short = s->is_resting = false;
    s->in_vain = s->idle = 0;
    s->equal_us = s->asked_us;
}

void wm_sync_changed(wm_sync *s, uint64_t now_us)
{
    s->event_us = now_us;
    if (s->changed_us == 0) s->changed_us = now_us;
    if (s->state != WM_SYNC_ASKING && s->state != WM_SYNC_MATCHING) return;
    note_root(s);
    if (s->state == WM_SYNC_MATCHING && root_of(s) == s->root) become_equal(s, now_us);
}

static void begin_walk(wm_sync *s, bool is_empty)
{
    s->state = WM_SYNC_WAITING; /* out of memory: at the next comparison */
    if (!wm_walk_begin(&s->walk)) return;
    s->walk.todo[0].is_absent = is_empty;
    s->walk.todo[0].seen = s->asked_seen;
    s->state = WM_SYNC_WALKING;
    s->has_found = false;
    s->walks++;
}

static void note_answer_time(wm_sync *s, uint64_t took_us)
{
    uint64_t most = s->answer_us * ANSWER_GROWTH > FIRST_ANSWER_US ? s->answer_us * ANSWER_GROWTH : FIRST_ANSWER_US;
    s->answer_us = took_us < most ? took_us : most;
}

static void take_root(wm_sync *s, uint32_t root, uint64_t now_us)
{
    s->root = root;
    note_answer_time(s, now_us - s->asked_us);
    /* Where the holding was empty when the question was sent, what it has by now came later than the answer. */
    if (root == 0 && s->is_new && wm_holding_count(s->holding) > 0 && !had_root(s)) {
        s->hooks->came_up_empty(s->hooks->user, s);
        note_root(s);
    }
    if (had_root(s)) become_equal(s, now_us);
    else if (root == 0) begin_walk(s, true);
    else if (s->is_resting) s->state = WM_SYNC_WAITING;
    else if (s->is_new && s->in_vain == 0) begin_walk(s, false);
    else {
        s->state = WM_SYNC_MATCHING;
        s->match_until_us = now_us + TRAILING_US;
    }
}

/* -- what to ask ----------------------------------------------------------------------- */

static uint64_t pause(const wm_sync *s, const wm_sync_rhythm *rhythm)
{
    uint32_t doublings = s->idle > PATIENCE ? s->idle - PATIENCE : 0;
    uint64_t least = s->answer_us * ANSWER_SHARE > rhythm->check_us ? s->answer_us * ANSWER_SHARE : rhythm->check_us;
    uint64_t us = doublings < 16 ? least << doublings : PAUSE_MAX_US;
    return us < PAUSE_MAX_US ? us : PAUSE_MAX_US;
}

static bool is_due(const wm_sync *s, const wm_sync_rhythm *rhythm, uint64_t now_us)
{
    uint64_t since = now_us - s->asked_us;
    if (s->asked_us == 0) return true;
    if (s->is_resting) return since >= rhythm->idle_us;
    if (s->is_hurried) return s->in_vain < PATIENCE || since >= pause(s, rhythm);
    if (s->changed_us == 0) return since >= rhythm->idle_us;
    bool is_quiet = now_us - s->event_us >= TRAILING_US || now_us - s->changed_us >= rhythm->check_us;
    return is_quiet && since >= pause(s, rhythm);
}

static wm_sync_question ask_root(wm_sync *s, uint64_t seen, uint64_t now_us)
{
    s->state = WM_SYNC_ASKING;
    s->asked_us = now_us;
    s->asked_seen = seen;
    s->changed_us = 0;
    s->is_hurried = false;
    s->root_count = 0;
    note_root(s);
    s->compares++;
    s->requests++;
    return WM_ASK_ROOT;
}

/* Below a place where the node holds nothing, to what is held here. */
static void visit_absent(wm_sync *s, const wm_walk_step *step, wm_sync_budget *budget)
{
    if (step->place.depth == WM_MERKLE_PATH_MAX) {
        s->hooks->leaf_read(s->hooks->user, s, step->place.digits, step);
        budget->leaves--;
        return;
    }
    for (uint32_t digit = 0; digit < 16; digit++) {
        wm_merkle_place below = {(uint8_t)(step->place.depth + 1), (uint16_t)(step->place.digits << 4 | digit)};
        if (wm_merkle_sums_at(wm_holding_sums(s->holding), below.depth, below.digits) != 0)
            wm_walk_add(&s->walk, below, true, step->seen);
    }
}

static wm_sync_question walk_on(wm_sync *s, uint64_t seen, uint64_t now_us, wm_sync_budget *budget, wm_merkle_place *place)
{
    wm_walk_step step;
    wm_walk_give_up(&s->walk, now_us > SILENCE_US ? now_us - SILENCE_US : 0);
    if (s->is_resting) wm_walk_ask_no_more(&s->walk);
    while (budget->leaves > 0 && wm_walk_next(&s->walk, seen, now_us, &step)) {
        *place = step.place;
        if (!step.is_absent) {
            s->requests++;
            return WM_ASK_PLACE;
        }
        visit_absent(s, &step, budget);
    }
    if (s->may_be_silent && wm_walk_next_fence(&s->walk, seen, now_us, &step)) {
        *place = step.place;
        s->requests++;
        return WM_ASK_PLACE;
    }
    if (!wm_walk_is_over(&s->walk)) return WM_ASK_NOTHING;
    s->refused += s->walk.unexplained;
    wm_walk_end(&s->walk);
    s->in_vain++;
    s->idle = s->has_found ? 0 : s->idle + 1;
    s->is_hurried = true;
    s->state = WM_SYNC_WAITING;
    s->hooks->walked(s->hooks->user, s);
    return WM_ASK_NOTHING;
}

wm_sync_question wm_sync_next(wm_sync *s, const wm_sync_rhythm *rhythm, uint64_t seen, uint64_t now_us,
                              wm_sync_budget *budget, wm_merkle_place *place)
{
    if (s->state == WM_SYNC_ASKING && now_us - s->asked_us > SILENCE_US) {
        s->in_vain++;
        s->idle++;
        s->is_hurried = true;
        s->state = WM_SYNC_WAITING;
    }
    if (s->state == WM_SYNC_MATCHING && s->is_resting) s->state = WM_SYNC_WAITING;
    if (s->state == WM_SYNC_MATCHING && now_us >= s->match_until_us) begin_walk(s, false);
    if (s->state == WM_SYNC_WALKING) {
        wm_sync_question question = walk_on(s, seen, now_us, budget, place);
        if (question != WM_ASK_NOTHING) return question;
    }
    if (s->state != WM_SYNC_WAITING || !is_due(s, rhythm, now_us)) return WM_ASK_NOTHING;
    if (!s->is_hurried && budget->compares == 0) return WM_ASK_NOTHING;
    if (!s->is_hurried) budget->compares--;
    return ask_root(s, seen, now_us);
}

void wm_sync_not_sent(wm_sync *s, wm_sync_question question, wm_merkle_place place)
{
    if (question == WM_ASK_PLACE) wm_walk_put_back(&s->walk, place);
    if (question != WM_ASK_ROOT) return;
    s->state = WM_SYNC_WAITING;
    s->is_hurried = true;
}

/* -- answers --------------------------------------------------------------------------- */

bool wm_sync_awaits(const wm_sync *s, const wm_message *m)
{
    const wm_message_name *path = &m->names[WM_MESSAGE_PATH];
    wm_merkle_place place;
    if (m->type == WM_TYPE_SYNC_RESP_ROOT) return s->state == WM_SYNC_ASKING;
    if (s->state != WM_SYNC_WALKING || path->text == NULL) return false;
    return wm_merkle_path_read(path->text, path->len, &place) && wm_walk_awaits(&s->walk, place);
}

static void take_buckets(wm_sync *s, const wm_merkle_answer *a, const wm_walk_step *step)
{
    const wm_merkle_sums *sums = wm_holding_sums(s->holding);
    for (uint32_t digit = 0; digit < 16; digit++) {
        wm_merkle_place below = {(uint8_t)(a->place.depth + 1), (uint16_t)(a->place.digits << 4 | digit)};
        if (a->below[digit] == wm_merkle_sums_at(sums, below.depth, below.digits)) continue;
        wm_walk_add(&s->walk, below, a->below[digit] == 0, step->seen);
    }
}

static void take_leaf(wm_sync *s, wm_merkle_answer *a, const wm_walk_step *step)
{
    wm_map_event record;
    while (wm_merkle_answer_next(a, &record)) s->hooks->found(s->hooks->user, s, &record, step);
    s->hooks->leaf_read(s->hooks->user, s, a->place.digits, step);
}

static uint16_t listed(const wm_merkle_answer *a)
{
    uint16_t bits = 0;
    for (uint32_t digit = 0; digit < 16; digit++)
        if (a->below[digit] != 0) bits |= (uint16_t)(1u << digit);
    return bits;
}

/* Of a malformed answer, its place counts as visited. */
static void forget_place(wm_sync *s, const wm_message *m)
{
    const wm_message_name *path = &m->names[WM_MESSAGE_PATH];
    wm_merkle_place place;
    wm_walk_step step;
    s->refused++;
    if (m->type == WM_TYPE_SYNC_RESP_ROOT || path->text == NULL) return;
    if (!wm_merkle_path_read(path->text, path->len, &place)) return;
    if (wm_walk_is_fence(&s->walk, place)) wm_walk_fence_arrived(&s->walk, UINT16_MAX);
    else wm_walk_arrived(&s->walk, place, &step);
}

bool wm_sync_take(wm_sync *s, const wm_message *m, uint64_t now_us)
{
    wm_merkle_answer a;
    wm_walk_step step;
    if (!wm_merkle_answer_read(m, &a)) {
        forget_place(s, m);
        return false;
    }
    if (a.type == WM_TYPE_SYNC_RESP_ROOT) {
        take_root(s, a.root, now_us);
        return true;
    }
    if (wm_walk_is_fence(&s->walk, a.place)) {
        wm_walk_fence_arrived(&s->walk, listed(&a));
        return true;
    }
    if (!wm_walk_arrived(&s->walk, a.place, &step)) return true;
    if (a.type == WM_TYPE_SYNC_RESP_BUCKETS && a.place.depth < WM_MERKLE_PATH_MAX) take_buckets(s, &a, &step);
    else take_leaf(s, &a, &step);
    return true;
}
