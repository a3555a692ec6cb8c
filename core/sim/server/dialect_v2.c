/* The v2 server: stamps writes itself, stores them where they arrive, and is
 * silent about what it does not like. */
#include <stdlib.h>
#include <string.h>

#include "base/jwt.h"
#include "sim/model/query.h"
#include "sim/model/subscription.h"
#include "sim/server/devices.h"
#include "sim/server/live.h"
#include "sim/server/queries.h"
#include "sim/server/writes.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/session/reply.h"
#include "sim/session/session.h"
#include "sim/wire/compare.h"
#include "sim/wire/json.h"

#define LEEWAY_S 60
#define CLOSE_AFTER_FAIL_MS 2000
#define PAYLOAD_MAX 8192

static uint64_t first_version(uint32_t members, uint32_t rank)
{
    return members > 1 ? members - rank : 0;
}

static void endpoint(const sim_node *viewer, const sim_node *node, char *out, size_t size)
{
    (void)viewer;
    snprintf(out, size, "ws://127.0.0.1:%d", node->port);
}

/* -- authentication -- */

/* The member of a payload in MessagePack; ABSENT when it is not there. */
static wm_mp_item claim(const wm_buffer *payload, const char *name)
{
    const uint8_t *field;
    size_t len;
    wm_mp_find(payload->data, payload->len, name, &field, &len);
    return sim_item_of(field, len);
}

static void accept_user(sim_session *s, const wm_mp_item *subject, const wm_mp_item *device)
{
    sim_cluster *c = s->node->cluster;
    s->authenticated = true;
    s->node->stats.auths++;
    wm_buffer *b = sim_begin(c, WM_TYPE_AUTH_ACK, 1 + sim_device_fields(s, device));
    sim_put_pair(b, "userId", (const char *)subject->bytes, subject->len);
    sim_put_device(b, s, device);
    sim_session_send_now(s, b);
}

static void close_late(void *owner, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    (void)len;
    sim_session_close(owner, 0, "");
}

static void refuse_user(sim_session *s)
{
    static const char text[] = "Authentication failed";
    wm_buffer *b = sim_begin(s->node->cluster, WM_TYPE_AUTH_FAIL, 1);
    sim_put_pair(b, "error", text, sizeof text - 1);
    sim_session_send_now(s, b);
    sim_delay_call(&s->delays, CLOSE_AFTER_FAIL_MS, close_late, s, NULL, 0);
}

static void authenticate(sim_session *s, const char *token, size_t len, const wm_mp_item *device)
{
    char payload[PAYLOAD_MAX];
    wm_buffer claims;
    if (s->node->faults.no_auth_ack) return;
    wm_buffer_init(&claims);
    int64_t now_s = (int64_t)(sim_wall_ms() / 1000) - LEEWAY_S;
    const char *reason = wm_jwt_verify(token, len, s->node->cluster->options->secret, now_s, payload, sizeof payload);
    bool ok = reason == NULL && sim_json_to_msgpack(payload, strlen(payload), &claims);
    wm_mp_item subject = {.kind = WM_MP_ABSENT}, expiry = {.kind = WM_MP_ABSENT};
    if (ok) {
        subject = claim(&claims, "sub");
        expiry = claim(&claims, "exp");
    }
    bool has_expiry = expiry.kind == WM_MP_UINT || expiry.kind == WM_MP_FLOAT;
    if (subject.kind == WM_MP_STR && has_expiry) accept_user(s, &subject, device);
    else refuse_user(s);
    wm_buffer_close(&claims);
}

static void say_nothing(sim_session *s)
{
    (void)s;
}

static bool early(sim_session *s, const wm_message *m)
{
    (void)s;
    (void)m;
    return false;
}

/* -- writes -- */

static bool apply(sim_session *s, const sim_op *op)
{
    sim_node *n = s->node;
    sim_cluster *c = n->cluster;
    if (op->is_or) return false; /* not simulated */
    wm_hlc_now(&n->clock, sim_wall_ms());
    sim_live_round(c);
    if (op->is_remove || !op->has_record) {
        sim_write_remove(n, op, s);
        return true;
    }
    const sim_name *self = sim_names_get(&c->names, n->id, strlen(n->id));
    sim_op stamped = *op;
    stamped.ttl_ms = 0; /* client writes are kept without expiry */
    return sim_write_merge(n, &stamped, s, n->clock.millis, n->clock.counter, self) == SIM_CHANGED;
}

static void write_batch(sim_session *s, const sim_op *ops, uint32_t count, sim_admission admission)
{
    bool ok = true;
    for (uint32_t i = 0; i < count; i++) ok = apply(s, &ops[i]) && ok;
    if (admission == SIM_INBOX_FULL) sim_reply_error(s, 429, "server overloaded, try again later", false);
    else if (admission == SIM_WRITE_BEHIND_FULL) sim_reply_error(s, 500, "internal error: Write-behind capacity exceeded", false);
    else if (!ok) sim_reply_error(s, 500, "OR-map operations are not simulated", false);
    else if (count == 0) sim_reply_ack(s, (sim_span){NULL, 0}, NULL);
    else sim_reply_ack(s, ops[count - 1].id, "APPLIED");
}

static bool begins(const sim_span *s, const char *with)
{
    return s->len >= strlen(with) && memcmp(s->p, with, strlen(with)) == 0;
}

static bool is_reserved(const sim_span *map)
{
    return begins(map, "_topgun_") || begins(map, "__topgun_");
}

/* Names that a server keeps for itself are refused with the words of an access rule, and the whole batch with
 * them; a CLIENT_OP is met with silence. */
static void write_batch_head(sim_session *s, const sim_op *ops, uint32_t count, sim_admission admission)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!is_reserved(&ops[i].map)) continue;
        char words[160];
        snprintf(words, sizeof words, "write access denied for map: %.*s", (int)ops[i].map.len, ops[i].map.p);
        sim_reply_error(s, 500, words, false);
        return;
    }
    write_batch(s, ops, count, admission);
}

static void client_op(sim_session *s, const sim_op *op)
{
    if (s->node->cluster->dialect == &sim_dialect_head && is_reserved(&op->map)) return;
    if (apply(s, op)) sim_reply_ack(s, op->id, "APPLIED");
}

/* -- what subscribers hear -- */

static void send_event(sim_node *n, sim_session *to, const sim_op *op, bool removed)
{
    sim_cluster *c = n->cluster;
    const char *type = removed ? "REMOVE" : "PUT";
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_SERVER_EVENT, removed ? 3 : 4);
    sim_put_pair(b, "mapName", op->map.p, op->map.len);
    sim_put_pair(b, "eventType", type, strlen(type));
    sim_put_pair(b, "key", op->key.p, op->key.len);
    if (!removed) {
        sim_put_text(b, "record");
        sim_put_map(b, c->family, 3);
        sim_put_text(b, "value");
        wm_mp_write_raw(b, op->value, op->value_len);
        sim_put_text(b, "timestamp");
        sim_put_timestamp(b, c->family, n->clock.millis, n->clock.counter, n->id, strlen(n->id));
        sim_put_text(b, "ttlMs");
        wm_mp_write_nil(b);
    }
    sim_session_send_event(to, b);
}

/* Nothing for the writer itself. The event comes before the session's updates. */
static void live_update(sim_node *holder, sim_subscription *sub, bool matches, const sim_op *op,
                        const sim_session *writer)
{
    sim_session *to = sub->session;
    if (to->node != holder || to == writer) return;
    if (sim_live_is_new(to)) send_event(holder, to, op, op->is_remove || !op->has_record);
    const char *change = sim_live_change(sub->matched, matches);
    if (change != NULL) sim_session_send_event(to, sim_live_query_update(sub, op, matches, "changeType", change));
}

/* Rows of one answer; those beyond are left out without a word. Recorded from 2.2.0, and from head. */
enum { QUERY_CLAMP = 10000,
       QUERY_CLAMP_HEAD = 4096 };

/* Begins QUERY_RESP with its rows; the caller writes the `more` fields that follow. */
static wm_buffer *begin_response(sim_session *s, const sim_subscription *sub, sim_record **rows, uint32_t count, uint32_t more)
{
    sim_cluster *c = s->node->cluster;
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_QUERY_RESP, 2 + more);
    sim_put_pair(b, "queryId", sub->id, sub->id_len);
    sim_put_text(b, "results");
    wm_mp_write_array(b, count);
    sim_put_results(b, c->family, rows, count);
    return b;
}

static void query_response(sim_session *s, sim_subscription *sub)
{
    sim_cluster *c = s->node->cluster;
    const sim_map *map = sim_store_find_map(&s->node->store, sub->map);
    uint32_t count;
    bool cut;
    sim_record **found = sim_query_run(&sub->query, map, sim_wall_ms(), NULL, NULL, &count, &cut);
    wm_buffer *b = begin_response(s, sub, found, count < QUERY_CLAMP ? count : QUERY_CLAMP, 1);
    sim_put_text(b, "merkleRootHash");
    sim_put_uint(b, c->family, map != NULL ? sim_merkle_root(&map->merkle) : 0);
    sim_session_send(s, b);
    free(found);
}

/* Only that a limit left rows out is reported. Cursors are not simulated. */
static void query_response_head(sim_session *s, sim_subscription *sub)
{
    const sim_map *map = sim_store_find_map(&s->node->store, sub->map);
    uint32_t count;
    bool cut;
    sim_record **found = sim_query_run(&sub->query, map, sim_wall_ms(), NULL, NULL, &count, &cut);
    wm_buffer *b = begin_response(s, sub, found, count < QUERY_CLAMP_HEAD ? count : QUERY_CLAMP_HEAD, cut ? 2 : 1);
    sim_put_pair(b, "cursorStatus", "none", 4);
    if (cut) {
        sim_put_text(b, "hasMore");
        wm_mp_write_bool(b, true);
    }
    sim_session_send(s, b);
    free(found);
}

#define V2_DIALECT                               \
    .name = "v2",                                \
    .family = SIM_FAMILY_V2,                     \
    .max_answer = 512 * 1024, /* seen on both */ \
        .push_ms = 60,                           \
    .first_version = first_version,              \
    .endpoint = endpoint,                        \
    .authenticate = authenticate,                \
    .malformed = say_nothing,                    \
    .invalid = say_nothing,                      \
    .early = early,                              \
    .client_op = client_op,                      \
    .live_update = live_update

const sim_dialect sim_dialect_v2 = {
    V2_DIALECT,
    .release = "2.2.0",
    .max_message = 2 * 1024 * 1024,
    .has_partition_trees = true,
    .write_batch = write_batch,
    .query_response = query_response,
};

/* As run from its source of 16 August 2026, with disk storage. */
const sim_dialect sim_dialect_head = {
    V2_DIALECT,
    .release = "head",
    .max_message = 2090000, /* the largest that was seen to pass; 2,097,000 did not */
    .too_big_ends = true,
    .has_frozen_trees = true,
    .keeps_records = true,
    .names_devices = true,
    .queries_hang = true,
    .sort_form = SIM_SORT_LIST,
    .drops_max = 256,
    .idle_ms = 60000,
    .idle_code = 1000,
    .idle_reason = "idle timeout",
    .auth_ms = 10000,
    .write_batch = write_batch_head,
    .query_response = query_response_head,
};
