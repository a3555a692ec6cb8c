/* Failed batches: those that a server does not answer or refuses, and those over which it ends the
 * connection. The batcher searches them for the poison message (see batcher.h), which is rejected
 * here. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"
#include "wire/refusal.h"

/* 0.11: how long acknowledgements are awaited after an ERROR. What is in flight then counts as refused. A
 * server answers within milliseconds. */
#define AFTER_ERROR_US 500000u
/* v2: how long acknowledgements are awaited after an ERROR about an overload, which may be about any
 * request. The connection is throttled for at least as long. */
#define AFTER_OVERLOAD_US 50000u
/* How often an operation returns from connections that ended without a reason before it is suspected:
 * connections end for many reasons. */
#define CUTS 2u
/* 0.11: a batch without an answer is sent again after so many times ack_timeout, as an overloaded server
 * drops batches silently. Records are ordered by the time of the write, so a second copy changes
 * nothing. */
#define PATIENCE 16u
/* Maps that may be named by a connection's errors before it is known which batches these were about. */
#define MAPS_MAX 8u
#define MAP_NAME_MAX 256u
#define WORDS_MAX 200u

/* A map that an error named. */
typedef struct refused_map {
    char name[MAP_NAME_MAX];
    size_t len;
    bool all;
    uint32_t errors; /* how many named it */
} refused_map;

struct wm_refusals {
    uint32_t errors;        /* received while batches were in flight; on v2 each of them answers one batch */
    uint32_t overloads;     /* those of them about an overload, of a batch or of another request */
    uint64_t overloaded_us; /* time of the last overload */
    bool awaits_acks;       /* the errors may be about all batches or about none: see may_be_of_others */
    bool has_unknown;       /* an error without a map may be about an operation */
    bool is_for_good;       /* an operation is refused for ever, and the error does not say which */
    uint64_t doubted_us;    /* time of an error that may answer a control batch; 0: none */
    refused_map maps[MAPS_MAX];
    uint32_t map_count;
    char words[WORDS_MAX]; /* of the last error about an operation */
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

/* Keeps `words`: a poison message that is found later is rejected with them. */
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
    if (!fits) { /* the operation is searched for without the map */
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

/* Applies the errors to all batches in flight. */
static void take_refused(wm_client *c, int connection, struct wm_refusals *r)
{
    wm_connection_load load = wm_batcher_load(c->batcher, connection);
    uint32_t before = load.in_flight_ops;
    bool is_for_good = r->is_for_good && load.in_flight_batches == 1; /* of several, any batch may be meant */
    for (uint32_t i = 0; i < r->map_count; i++) {
        map_question q = {c, &r->maps[i]};
        wm_batch_refusal refusal = {.is_refused = is_of_map, .user = &q, .all = r->maps[i].all, .count = r->maps[i].errors};
        wm_batcher_refuse(c->batcher, connection, &refusal, c->now_us);
    }
    /* A single operation that is refused for ever needs no proof that other operations are accepted. */
    if (r->has_unknown) wm_batcher_fail_all(c->batcher, connection, WM_FAULT_REFUSED, 0, is_for_good ? WM_POISON_PROOFS : 0, c->now_us);
    wm_batcher_release_connection(c->batcher, connection, c->now_us);
    c->figures.stats.ops_resent += before - wm_batcher_load(c->batcher, connection).in_flight_ops;
    wm_client_forget_refusals(c, connection);
    wm_client_reject_poison(c);
}

/* Whether a control batch awaits an answer, which an error may be. One that was sent long ago counts as
 * lost. */
static bool owes_control(const wm_client *c, int connection)
{
    const wm_client_connection *state = &c->connections.all[connection];
    return state->controls > 0 && c->now_us - state->controls_us[state->controls - 1] < c->ack_timeout_us;
}

/* Whether all errors may be about other requests, so that acknowledgements are still possible. */
static bool may_be_of_others(const wm_client *c, const struct wm_refusals *r)
{
    return r->overloads == r->errors && c->now_us - r->overloaded_us < AFTER_OVERLOAD_US;
}

/* A v2 server answers each batch with an acknowledgement or an error, which does not name its batch. Once
 * there are as many errors as batches in flight, control batches included, all of them were refused, and
 * sending them again duplicates nothing. Errors about an overload may be about other requests, so
 * acknowledgements are awaited for a moment. If a single trial is in flight, an error is about it in both
 * families. */
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
    if (r == NULL) return true; /* out of memory: the batch counts as unanswered */
    bool is_of_server = found->kind == WM_REFUSAL_BUSY || found->kind == WM_REFUSAL_ROUTE || found->kind == WM_REFUSAL_UNKNOWN;
    if (is_of_server) {
        wm_client_throttle(c, connection);
        c->figures.stats.overloads++;
        if (found->kind == WM_REFUSAL_BUSY) wm_client_window_refused(c, connection, found->is_rate);
    }
    note(r, found, words, len, c->now_us);
    if (r->doubted_us == 0 && found->map == NULL && owes_control(c, connection)) r->doubted_us = c->now_us;
    /* No batch is sent until it is known which were refused; that takes milliseconds. */
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

/* A control batch. On v2 it has no operations; 0.11 does not answer such a batch, so there it has a
 * removal without a record, which is acknowledged and ignored. */
typedef struct control {
    const uint8_t *frame;
    size_t len;
    const char *last_id; /* the `lastId` of its acknowledgement */
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

/* Acknowledgements of control batches are alike, and some may be lost: this one is taken for that of the
 * oldest. */
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

/* Asks whether the server answers (PING), and whether it acknowledges (a control batch). */
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

/* Extends the time for all answers: the server answers, and is slow. */
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

/* The server answers nothing. On v2 the connection is ended: a batch that is sent again on it could be
 * processed before its own first copy, as the server works on several at once, and the last write
 * wins. */
static void give_up(wm_client *c, int connection, bool is_v2)
{
    uint32_t ops = wm_batcher_load(c->batcher, connection).in_flight_ops;
    if (!is_v2) c->figures.stats.ops_resent += ops = wm_batcher_release_expired(c->batcher, connection, c->now_us);
    wm_client_throttle(c, connection);
    wm_client_event(c, (wm_event){.type = WM_EVENT_ACK_TIMEOUT, .connection = connection, .a = ops, .flag = true}, NULL, 0);
    if (is_v2) wm_node_pool_fail(c->pool, connection, WM_END_ACK_TIMEOUT, "");
}

/* Sets batches aside that were not answered while later ones were. On v2 the connection is ended, for a
 * trial too: the first copy may only be slow. */
static void set_aside(wm_client *c, int connection, bool is_v2, uint64_t before_us)
{
    bool was_trial;
    uint32_t ops = wm_batcher_fail_overdue(c->batcher, connection, before_us, c->now_us, &was_trial);
    c->figures.stats.ops_resent += ops;
    wm_client_reject_poison(c);
    if (!was_trial) wm_client_event(c, (wm_event){.type = WM_EVENT_ACK_TIMEOUT, .connection = connection, .a = ops, .flag = true}, NULL, 0);
    if (is_v2) wm_node_pool_fail(c->pool, connection, WM_END_ACK_TIMEOUT, "");
}

/* 0.11, AFTER_ERROR_US after an ERROR: what is still not acknowledged was refused. */
static bool take_hastened(wm_client *c, int connection, bool is_v2)
{
    struct wm_refusals *r = c->connections.all[connection].refusals;
    if (is_v2 || r == NULL || r->errors == 0 || r->doubted_us != 0) return false;
    take_refused(c, connection, r);
    return true;
}

/* An error counts as the answer to a control batch that is still not acknowledged AFTER_ERROR_US later.
 * If the error was about another batch after all, that one is found as a batch that is never answered. */
static void settle_doubts(wm_client *c, int connection)
{
    const struct wm_refusals *r = c->connections.all[connection].refusals;
    if (r != NULL && r->doubted_us != 0 && c->now_us - r->doubted_us >= AFTER_ERROR_US) wm_client_forget_refusals(c, connection);
}

/* Ends the wait for acknowledgements after an overload. */
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
    if (overdue_us == 0 || wm_node_pool_is_behind(c->pool, connection)) return; /* the answer may be among what is not read yet */
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

/* Whether the server or the network ended the connection without a reason that concerns a message. */
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
