/* Batches that fail: what a server does not answer, what it refuses, and what it ends the
 * connection over. Each is brought to the batcher, which looks for the operation (see
 * batcher.h); what it finds is rejected here. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"
#include "wire/refusal.h"

/* After an ERROR of a 0.11 server how long acknowledgements may still come before what is in
 * flight is taken for refused (it answers within milliseconds). */
#define AFTER_ERROR_US 500000u
/* After an ERROR of a v2 server about an overload how long the acknowledgement may still come: its
 * words are the same for any request. The connection is throttled for as long, at least. */
#define AFTER_OVERLOAD_US 50000u
/* An operation whose connection ended without a word came back so often before it is looked
 * at: connections end for many reasons. */
#define CUTS 2u
/* After so many times ack_timeout a 0.11 server is sent a batch again that nothing is known of:
 * it drops one without a word when it has too much to do. It goes by the time of the write, so
 * that changes nothing where it was only slow. */
#define PATIENCE 16u
/* Maps that a connection's errors name, until it is known which batches they were about. */
#define MAPS_MAX 8u
#define MAP_NAME_MAX 256u
#define WORDS_MAX 200u

/* Maps that a server named, and whether all of their writes are refused. */
typedef struct refused_map {
    char name[MAP_NAME_MAX];
    size_t len;
    bool all;
    uint32_t errors; /* that named it */
} refused_map;

struct wm_refusals {
    uint32_t errors;        /* that came while batches were in flight; on v2 each stands for one of them */
    uint32_t overloads;     /* among them: of a batch or of any other request */
    uint64_t overloaded_us; /* when the last of these came */
    bool awaits_acks;       /* all that is in flight may be refused, or none: see may_be_of_others */
    bool has_unknown;       /* one of them may be about an operation */
    bool is_for_good;       /* one of them is, and does not say which */
    uint64_t doubted_us;    /* when one came that may be the answer to a control batch; 0: none */
    refused_map maps[MAPS_MAX];
    uint32_t map_count;
    char words[WORDS_MAX]; /* of the last one about an operation */
    size_t words_len;
};

/* -- poison ---------------------------------------------------------------------------- */

static void reject_poison(wm_client *c, const wm_poison *p)
{
    static const char *const reasons[] = {
        [WM_FAULT_UNANSWERED] = "3 batches of this operation alone were not answered",
        [WM_FAULT_UNREADABLE] = "the server closed the connection over it (close code 1002): the server cannot read it",
        [WM_FAULT_CUT] = "the connection ended after each of 3 batches of this operation alone",
        [WM_FAULT_REFUSED] = "the server refuses this operation",
    };
    const char *words = reasons[p->fault];
    size_t len = strlen(words);
    const struct wm_refusals *r = c->connections.all[p->connection].refusals;
    if (p->fault == WM_FAULT_REFUSED && r != NULL && r->words_len > 0) {
        words = r->words;
        len = r->words_len;
    }
    wm_client_reject(c, p->connection, p->op, words, len);
}

void wm_client_reject_poison(wm_client *c)
{
    wm_poison p;
    while (wm_batcher_next_poison(c->batcher, &p)) reject_poison(c, &p);
}

/* -- refused --------------------------------------------------------------------------- */

static struct wm_refusals *refusals_of(wm_client *c, int connection)
{
    wm_client_connection *state = &c->connections.all[connection];
    if (state->refusals == NULL) state->refusals = calloc(1, sizeof *state->refusals);
    return state->refusals;
}

/* The words stay: what is found to be poison later is rejected with them. */
void wm_client_forget_refusals(wm_client *c, int connection)
{
    struct wm_refusals *r = c->connections.all[connection].refusals;
    if (r == NULL) return;
    r->errors = r->overloads = r->map_count = 0;
    r->has_unknown = r->is_for_good = r->awaits_acks = false;
    r->doubted_us = 0;
    wm_batcher_close_window(c->batcher, connection, false);
}

static void note_map(struct wm_refusals *r, const wm_refusal *found)
{
    bool fits = found->map_len <= MAP_NAME_MAX && r->map_count < MAPS_MAX;
    if (!fits) { /* it is searched for like any other */
        r->has_unknown = true;
        return;
    }
    for (uint32_t i = 0; i < r->map_count; i++) {
        if (r->maps[i].len != found->map_len || memcmp(r->maps[i].name, found->map, found->map_len) != 0) continue;
        r->maps[i].errors++;
        return;
    }
    refused_map *m = &r->maps[r->map_count++];
    memcpy(m->name, found->map, found->map_len);
    m->len = found->map_len;
    m->all = found->kind == WM_REFUSAL_MAP;
    m->errors = 1;
}

static void note_overload(struct wm_refusals *r, uint64_t now_us)
{
    r->overloads++;
    r->overloaded_us = now_us;
}

static void note(struct wm_refusals *r, const wm_refusal *found, const char *words, size_t len, uint64_t now_us)
{
    r->errors++;
    if (found->kind == WM_REFUSAL_BUSY) note_overload(r, now_us);
    if (found->kind == WM_REFUSAL_BUSY || found->kind == WM_REFUSAL_ROUTE) return;
    if (found->map != NULL) note_map(r, found);
    else r->has_unknown = true;
    r->is_for_good = r->is_for_good || found->kind == WM_REFUSAL_WRITE;
    r->words_len = len < WORDS_MAX ? len : WORDS_MAX;
    memcpy(r->words, words, r->words_len);
}

typedef struct map_question {
    wm_client *client;
    const refused_map *map;
} map_question;

static bool is_of_map(void *user, const wm_op *op)
{
    const map_question *q = user;
    wm_op_view view = wm_oplog_read(q->client->log, op);
    return view.map_len == q->map->len && memcmp(view.map_name, q->map->name, q->map->len) == 0;
}

/* What the errors say of all that is in flight, which they are about. */
static void take_refused(wm_client *c, int connection, struct wm_refusals *r)
{
    wm_connection_load load = wm_batcher_load(c->batcher, connection);
    uint32_t before = load.in_flight_ops;
    bool is_for_good = r->is_for_good && load.in_flight_batches == 1; /* among several another one may be meant */
    for (uint32_t i = 0; i < r->map_count; i++) {
        map_question q = {c, &r->maps[i]};
        wm_batch_refusal refusal = {.is_refused = is_of_map, .user = &q, .all = r->maps[i].all, .count = r->maps[i].errors};
        wm_batcher_refuse(c->batcher, connection, &refusal, c->now_us);
    }
    /* An operation alone whose refusal is for good needs no proof that others are taken. */
    if (r->has_unknown) wm_batcher_fail_all(c->batcher, connection, WM_FAULT_REFUSED, 0, is_for_good ? WM_POISON_PROOFS : 0, c->now_us);
    wm_batcher_release_connection(c->batcher, connection, c->now_us);
    c->figures.stats.ops_resent += before - wm_batcher_load(c->batcher, connection).in_flight_ops;
    wm_client_forget_refusals(c, connection);
    wm_client_reject_poison(c);
}

/* Whether an error may be the answer to a control batch. One that was sent long ago is lost, and
 * so may its answer be. */
static bool owes_control(const wm_client *c, int connection)
{
    const wm_client_connection *state = &c->connections.all[connection];
    return state->controls > 0 && c->now_us - state->controls_us[state->controls - 1] < c->ack_timeout_us;
}

/* Whether the errors may all be about other requests, so that acknowledgements may still come. */
static bool may_be_of_others(const wm_client *c, const struct wm_refusals *r)
{
    return r->overloads == r->errors && c->now_us - r->overloaded_us < AFTER_OVERLOAD_US;
}

/* A v2 server answers each batch, by an acknowledgement or by an error that does not say
 * which: once there are as many errors as batches, those sent to ask among them, it is all of
 * them, and sending them again duplicates nothing. An overload may have refused other requests
 * than batches, so acknowledgements are waited for a moment. With a trial alone in flight it is clear in
 * both families. */
void wm_client_settle_refused(wm_client *c, int connection)
{
    struct wm_refusals *r = c->connections.all[connection].refusals;
    if (r == NULL || r->errors == 0) return;
    uint32_t in_flight = wm_batcher_load(c->batcher, connection).in_flight_batches;
    bool is_v2 = wm_node_pool_connection(c->pool, connection).dialect == WM_DIALECT_V2;
    if (!is_v2 && in_flight > 0 && !wm_batcher_tries_alone(c->batcher, connection)) return;
    if (r->errors < in_flight + owes_control(c, connection)) return;
    r->awaits_acks = is_v2 && in_flight > 0 && may_be_of_others(c, r);
    if (!r->awaits_acks) take_refused(c, connection, r);
}

static bool refuse_batches(wm_client *c, int connection, const wm_refusal *found, const char *words, size_t len)
{
    if (wm_batcher_load(c->batcher, connection).in_flight_batches == 0) return false;
    struct wm_refusals *r = refusals_of(c, connection);
    if (r == NULL) return true; /* out of memory: as if it had not been answered */
    bool is_of_server = found->kind == WM_REFUSAL_BUSY || found->kind == WM_REFUSAL_ROUTE || found->kind == WM_REFUSAL_UNKNOWN;
    if (is_of_server) {
        wm_client_throttle(c, connection);
        c->figures.stats.overloads++;
        if (found->kind == WM_REFUSAL_BUSY) wm_client_window_refused(c, connection, found->is_rate);
    }
    note(r, found, words, len, c->now_us);
    if (r->doubted_us == 0 && found->map == NULL && owes_control(c, connection)) r->doubted_us = c->now_us;
    /* No batch more until it is known which of them were refused: milliseconds. */
    wm_batcher_close_window(c->batcher, connection, true);
    if (wm_node_pool_connection(c->pool, connection).dialect != WM_DIALECT_V2)
        wm_batcher_hasten(c->batcher, connection, c->now_us + AFTER_ERROR_US);
    wm_client_settle_refused(c, connection);
    return is_of_server;
}

bool wm_client_refuse_batches(wm_client *c, int connection)
{
    if (wm_node_pool_is_listener(c->pool, connection)) return false;
    return refuse_batches(c, connection, &(wm_refusal){.kind = WM_REFUSAL_ROUTE}, "", 0);
}

bool wm_client_refused(wm_client *c, int connection, const wm_message *m)
{
    const uint8_t *bytes;
    size_t size;
    uint64_t code = 0;
    wm_mp_reader r;
    wm_mp_item it, words = {.len = 0};
    if (m->payload != NULL && wm_mp_find(m->payload, m->payload_len, "code", &bytes, &size) >= 0 && bytes != NULL) {
        wm_mp_reader_init(&r, bytes, size);
        if (wm_mp_read(&r, &it) < 0 || !wm_mp_as_uint(&it, &code)) return wm_client_refuse_batches(c, connection); /* NOT_OWNER */
    }
    if (!wm_message_text(m, "message", &words)) words = (wm_mp_item){.bytes = (const uint8_t *)"", .len = 0};
    wm_refusal found = wm_refusal_of(code, (const char *)words.bytes, words.len);
    if (found.kind == WM_REFUSAL_OTHER) return false;
    return refuse_batches(c, connection, &found, (const char *)words.bytes, words.len);
}

/* -- never answered -------------------------------------------------------------------- */

/* A batch that changes nothing and is acknowledged: of no operations on v2; on 0.11, which does
 * not answer that, with one that it counts as done and does not carry out (a removal without
 * a record). */
typedef struct control {
    const uint8_t *frame;
    size_t len;
    const char *last_id; /* of its acknowledgement */
} control;

static control control_of(bool is_v2)
{
#define CONTROL_ID "wingman-control"
    static const uint8_t none[] = "\x82\xa4type\xa8OP_BATCH\xa7payload\x81\xa3ops\x90";
    static const uint8_t one[] = "\x82\xa4type\xa8OP_BATCH\xa7payload\x81\xa3ops\x91\x85\xa2id\xaf" CONTROL_ID
                                 "\xa7mapName\xadwingman_probe\xa3key\xa7"
                                 "control\xa6opType\xa6REMOVE\xa6record\xc0";
    if (is_v2) return (control){none, sizeof none - 1, "unknown"};
    return (control){one, sizeof one - 1, CONTROL_ID};
}

static void send_control(wm_client *c, int connection, bool is_v2)
{
    wm_client_connection *state = &c->connections.all[connection];
    if (state->controls == WM_CONTROLS_MAX) return;
    uint64_t last_us = state->controls == 0 ? 0 : state->controls_us[state->controls - 1];
    if (c->now_us - last_us < c->ack_timeout_us << state->controls) return;
    control k = control_of(is_v2);
    if (wm_node_pool_send(c->pool, connection, k.frame, k.len) == WM_OK) state->controls_us[state->controls++] = c->now_us;
}

/* Acknowledgements of several are all alike, and some may be lost: this one may be the first's. */
bool wm_client_is_control_ack(wm_client *c, int connection, const char *last_id, size_t len)
{
    wm_client_connection *state = &c->connections.all[connection];
    if (state->controls == 0) return false;
    control k = control_of(wm_node_pool_connection(c->pool, connection).dialect == WM_DIALECT_V2);
    if (len != strlen(k.last_id) || memcmp(last_id, k.last_id, len) != 0) return false;
    state->control_acked_us = state->controls_us[0];
    state->controls--;
    memmove(state->controls_us, state->controls_us + 1, state->controls * sizeof *state->controls_us);
    return true;
}

/* Whether the server answers at all, and whether it acknowledges. */
static void ask(wm_client *c, int connection, bool is_v2)
{
    c->connections.all[connection].asked_us = c->now_us;
    wm_node_pool_ask(c->pool, connection);
    send_control(c, connection, is_v2);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* All that the server owes is waited for: it answers, and is slow. */
static void wait_longer(wm_client *c, int connection, bool is_v2)
{
    uint64_t since_us = wm_batcher_overdue_since(c->batcher, connection, c->now_us);
    bool again = !is_v2 && c->now_us - since_us >= PATIENCE * c->ack_timeout_us;
    uint32_t ops = again ? wm_batcher_release_expired(c->batcher, connection, c->now_us)
                         : wm_batcher_extend_overdue(c->batcher, connection, c->now_us);
    if (again) c->figures.stats.ops_resent += ops;
    wm_client_throttle(c, connection);
    wm_client_event(c, (wm_event){.type = WM_EVENT_ACK_TIMEOUT, .connection = connection, .a = ops, .flag = again}, NULL, 0);
}

/* Nothing is answered. Sent again on the same connection, a batch could be overtaken by its
 * own first copy: a v2 server works on several at once and the last write wins. */
static void give_up(wm_client *c, int connection, bool is_v2)
{
    uint32_t ops = wm_batcher_load(c->batcher, connection).in_flight_ops;
    if (!is_v2) c->figures.stats.ops_resent += ops = wm_batcher_release_expired(c->batcher, connection, c->now_us);
    wm_client_throttle(c, connection);
    wm_client_event(c, (wm_event){.type = WM_EVENT_ACK_TIMEOUT, .connection = connection, .a = ops, .flag = true}, NULL, 0);
    if (is_v2) wm_node_pool_fail(c->pool, connection, WM_END_ACK_TIMEOUT, "");
}

/* Batches sent later were answered, these were not. On v2 what is tried again leaves on a fresh
 * connection, a trial too: its first copy may only be slow. */
static void set_aside(wm_client *c, int connection, bool is_v2, uint64_t before_us)
{
    bool was_trial;
    uint32_t ops = wm_batcher_fail_overdue(c->batcher, connection, before_us, c->now_us, &was_trial);
    c->figures.stats.ops_resent += ops;
    wm_client_reject_poison(c);
    if (!was_trial) wm_client_event(c, (wm_event){.type = WM_EVENT_ACK_TIMEOUT, .connection = connection, .a = ops, .flag = true}, NULL, 0);
    if (is_v2) wm_node_pool_fail(c->pool, connection, WM_END_ACK_TIMEOUT, "");
}

/* 0.11, some time after an ERROR: what is not acknowledged by now was refused. */
static bool take_hastened(wm_client *c, int connection, bool is_v2)
{
    struct wm_refusals *r = c->connections.all[connection].refusals;
    if (is_v2 || r == NULL || r->errors == 0 || r->doubted_us != 0) return false;
    take_refused(c, connection, r);
    return true;
}

/* A control batch that is not acknowledged some time after an error had it for its answer. If
 * it was a batch that was refused, and the other answer is lost, that one is found as one that
 * is never answered. */
static void settle_doubts(wm_client *c, int connection)
{
    const struct wm_refusals *r = c->connections.all[connection].refusals;
    if (r != NULL && r->doubted_us != 0 && c->now_us - r->doubted_us >= AFTER_ERROR_US) wm_client_forget_refusals(c, connection);
}

/* The acknowledgements that were awaited after an overload have not come. */
static void settle_overload(wm_client *c, int connection)
{
    const struct wm_refusals *r = c->connections.all[connection].refusals;
    if (r != NULL && r->awaits_acks) wm_client_settle_refused(c, connection);
}

void wm_client_check_answers(wm_client *c, int connection)
{
    settle_doubts(c, connection);
    settle_overload(c, connection);
    uint64_t ack_timeout_us = c->ack_timeout_us;
    uint64_t oldest_us = wm_batcher_load(c->batcher, connection).oldest_sent_us;
    if (oldest_us == 0) return;
    wm_client_connection *state = &c->connections.all[connection];
    wm_connection_info info = wm_node_pool_connection(c->pool, connection);
    bool is_v2 = info.dialect == WM_DIALECT_V2;
    uint64_t trial_us = wm_batcher_trial_cut_us(c->batcher, connection);
    bool is_due = c->now_us - oldest_us >= ack_timeout_us / 2 &&
                  (state->asked_us <= oldest_us || c->now_us - state->asked_us >= ack_timeout_us);
    if (is_due || (trial_us != 0 && state->asked_us <= trial_us)) ask(c, connection, is_v2);
    uint64_t overdue_us = wm_batcher_overdue_since(c->batcher, connection, c->now_us);
    if (overdue_us == 0 || wm_node_pool_is_behind(c->pool, connection)) return; /* the answer may be here */
    if (take_hastened(c, connection, is_v2)) return;
    if (info.answered_us <= overdue_us) {
        if (state->asked_us > overdue_us && c->now_us - state->asked_us >= ack_timeout_us / 2) give_up(c, connection, is_v2);
        return;
    }
    uint64_t acked_us = later(wm_batcher_acked_cut_us(c->batcher, connection), state->control_acked_us);
    if (acked_us > overdue_us) set_aside(c, connection, is_v2, acked_us < info.answered_us ? acked_us : info.answered_us);
    else wait_longer(c, connection, is_v2);
}

/* -- the end of a connection ------------------------------------------------------------- */

/* Ends that are about the server or the network, and those of this side. */
static bool is_without_a_word(const wm_connection_loss *loss)
{
    if (loss->reason == WM_END_LOST) return true;
    return loss->reason == WM_END_CLOSED && (loss->close_code == 0 || loss->close_code == 1009 || loss->close_code == 1011);
}

void wm_client_blame(wm_client *c, int connection, const wm_connection_loss *loss)
{
    if (!loss->was_answered) return;
    if (loss->reason == WM_END_BAD_FRAME) wm_batcher_fail_all(c->batcher, connection, WM_FAULT_UNREADABLE, 0, 1, c->now_us);
    else if (is_without_a_word(loss)) wm_batcher_fail_all(c->batcher, connection, WM_FAULT_CUT, CUTS, 0, c->now_us);
    wm_client_reject_poison(c);
}
