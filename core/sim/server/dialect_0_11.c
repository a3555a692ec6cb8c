/* The 0.11 server: keeps the clients' times, acknowledges whatever happened, and
 * loses a batch's operations for partitions of other nodes. */
#include <stdlib.h>
#include <string.h>

#include "base/jwt.h"
#include "sim/model/query.h"
#include "sim/model/subscription.h"
#include "sim/server/live.h"
#include "sim/server/queries.h"
#include "sim/server/writes.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/session/reply.h"
#include "sim/session/session.h"
#include "sim/wire/compare.h"
#include "sim/wire/json.h"

#define BACKUP_REPORT_MS 25 /* how much later the backup reports the same change */

static uint64_t first_version(uint32_t members, uint32_t rank)
{
    (void)rank;
    return members;
}

/* Itself under its inter-node port, all others not at all. */
static void endpoint(const sim_node *viewer, const sim_node *node, char *out, size_t size)
{
    if (viewer == node) snprintf(out, size, "ws://localhost:%d", node->peer_port);
    else snprintf(out, size, "ws://unknown:0");
}

/* -- authentication -- */

static void authenticate(sim_session *s, const char *token, size_t len, const wm_mp_item *device)
{
    (void)device;
    sim_cluster *c = s->node->cluster;
    const sim_options *o = c->options;
    if (s->node->faults.no_auth_ack) return;
    int64_t now_s = (int64_t)(sim_wall_ms() / 1000);
    const char *reason = o->no_auth ? NULL : wm_jwt_verify(token, len, o->secret, now_s, NULL, 0);
    if (reason == NULL) {
        s->authenticated = true;
        s->last_ping_ms = sim_wall_ms();
        s->node->stats.auths++;
        sim_session_send_now(s, sim_begin(c, WM_TYPE_AUTH_ACK, 0));
        return;
    }
    wm_buffer *b = sim_begin(c, WM_TYPE_AUTH_FAIL, 1);
    sim_put_pair(b, "error", reason, strlen(reason));
    sim_session_send_now(s, b);
    sim_session_close(s, 4001, "Unauthorized");
}

static void malformed(sim_session *s)
{
    sim_session_close(s, 1002, "Protocol Error");
}

static void invalid(sim_session *s)
{
    sim_reply_error(s, 400, "Invalid message format", true);
}

static bool early(sim_session *s, const wm_message *m)
{
    if (m->type == WM_TYPE_PING) return true;
    sim_session_close(s, 4001, "Auth required");
    return false;
}

/* -- writes -- */

static void drag_clock(sim_node *n, const sim_op *op)
{
    if (op->has_record) wm_hlc_update(&n->clock, sim_wall_ms(), op->millis, op->counter);
}

static sim_effect apply(sim_node *n, const sim_op *op, const sim_session *writer)
{
    drag_clock(n, op);
    const sim_name *node = sim_names_get(&n->cluster->names, op->node.p ? op->node.p : "", op->node.len);
    return sim_write_merge(n, op, writer, op->millis, op->counter, node);
}

static void put_event(wm_buffer *b, sim_family family, const sim_op *op)
{
    sim_put_map(b, family, 4);
    sim_put_pair(b, "mapName", op->map.p, op->map.len);
    sim_put_pair(b, "key", op->key.p, op->key.len);
    sim_put_pair(b, "eventType", "UPDATED", 7);
    sim_put_text(b, "record");
    sim_put_map(b, family, op->ttl_ms > 0 ? 3 : 2);
    sim_put_text(b, "value");
    wm_mp_write_raw(b, op->value, op->value_len);
    sim_put_text(b, "timestamp");
    sim_put_timestamp(b, family, op->millis, op->counter, op->node.p, op->node.len);
    if (op->ttl_ms <= 0) return;
    sim_put_text(b, "ttlMs");
    wm_mp_write_number(b, op->ttl_ms);
}

/* The message stands in the scratch buffer; it goes once to everybody with a
 * query on the operation's map, not to the writer. */
static void send_event(sim_session *writer, const sim_op *op, const wm_buffer *message)
{
    sim_cluster *c = writer->node->cluster;
    const sim_name *map = sim_names_get(&c->names, op->map.p, op->map.len);
    for (sim_subscription *sub = sim_subscribers(c->subscriptions, map); sub != NULL; sub = sub->next_of_map)
        if (sub->session != writer && sim_live_is_new(sub->session)) sim_session_send(sub->session, message);
}

static bool has_listener(sim_cluster *c, const sim_op *op)
{
    return sim_subscribers(c->subscriptions, sim_names_get(&c->names, op->map.p, op->map.len)) != NULL;
}

/* One message with all changes of the batch, also for those who listen to one
 * of its maps only. `changed` are indexes of operations. */
static void send_batch_event(sim_session *writer, const sim_op *ops, const uint32_t *changed, uint32_t count)
{
    sim_cluster *c = writer->node->cluster;
    bool wanted = false;
    for (uint32_t i = 0; i < count && !wanted; i++) wanted = has_listener(c, &ops[changed[i]]);
    if (!wanted) return;
    wm_buffer *b = sim_begin(c, WM_TYPE_SERVER_BATCH_EVENT, 2);
    sim_put_text(b, "payload");
    sim_put_map(b, c->family, 1);
    sim_put_text(b, "events");
    wm_mp_write_array(b, count);
    for (uint32_t i = 0; i < count; i++) put_event(b, c->family, &ops[changed[i]]);
    sim_put_text(b, "timestamp");
    sim_put_now(b, writer->node);
    sim_live_round(c);
    for (uint32_t i = 0; i < count; i++) send_event(writer, &ops[changed[i]], b);
}

static void send_single_event(sim_session *writer, const sim_op *op)
{
    sim_cluster *c = writer->node->cluster;
    if (!has_listener(c, op)) return;
    wm_buffer *b = sim_begin(c, WM_TYPE_SERVER_EVENT, 2);
    sim_put_text(b, "payload");
    put_event(b, c->family, op);
    sim_put_text(b, "timestamp");
    sim_put_now(b, writer->node);
    sim_live_round(c);
    send_event(writer, op, b);
}

static void write_batch(sim_session *s, const sim_op *ops, uint32_t count, sim_admission admission)
{
    (void)admission;
    sim_node *n = s->node;
    sim_cluster *c = n->cluster;
    uint32_t *changed, changes = 0;
    if (count == 0) return; /* never answered */
    changed = malloc(count * sizeof *changed);
    for (uint32_t i = 0; i < count; i++) {
        if (!sim_node_owns(n, sim_write_partition(n, &ops[i]))) continue; /* lost on its way to the owner */
        if (apply(n, &ops[i], s) == SIM_CHANGED && changed != NULL) changed[changes++] = i;
    }
    if (!sim_cluster_is_multi_node(c) && changes > 0) send_batch_event(s, ops, changed, changes);
    free(changed);
    sim_reply_ack(s, ops[count - 1].id, NULL);
}

static void reject(sim_session *s, const sim_op *op, const char *reason)
{
    wm_buffer *b = sim_begin_payload(s->node->cluster, WM_TYPE_OP_REJECTED, 2);
    sim_put_text(b, "opId");
    if (op->id.p != NULL) wm_mp_write_str(b, op->id.p, op->id.len);
    else sim_put_undefined(b);
    sim_put_pair(b, "reason", reason, strlen(reason));
    sim_session_send(s, b);
}

static void client_op(sim_session *s, const sim_op *op)
{
    sim_cluster *c = s->node->cluster;
    uint16_t owner = s->node->view.owners[sim_write_partition(s->node, op)];
    if (owner != s->node->index) { /* forwarded, without any confirmation */
        if (owner != SIM_NO_NODE && c->nodes[owner]->running) apply(c->nodes[owner], op, s);
        return;
    }
    switch (apply(s->node, op, s)) {
    case SIM_CHANGED:
        if (!sim_cluster_is_multi_node(c)) send_single_event(s, op);
        break;
    case SIM_UNCHANGED:
        break;
    case SIM_WRONG_KIND:
        reject(s, op, op->is_or ? "Map type mismatch: LWWMap but received OR op" : "Map type mismatch: ORMap but received LWW op");
        break;
    case SIM_NO_RECORD:
        reject(s, op, op->is_or ? "OR-map operations are not simulated" : "Cannot read properties of undefined (reading 'timestamp')");
        break;
    }
}

/* -- live updates -- */

static void send_text_late(void *owner, const uint8_t *bytes, size_t len)
{
    wm_buffer text = {.data = (uint8_t *)bytes, .len = len, .cap = len};
    sim_session_send_text(owner, &text);
}

/* A query gets no update for a number that replaces a number, nor for a value that is false in JavaScript. */
static bool is_overlooked(const sim_subscription *sub, const sim_op *op)
{
    if (sub->was_number && sim_is_number(op->value, op->value_len)) return true;
    return sim_is_falsy(op->value, op->value_len);
}

/* In a cluster updates are JSON texts. The owner and the backup each report a
 * change to the nodes other than itself, so that some clients hear it twice. */
static void report(sim_node *owner, sim_subscription *sub, bool matches, const sim_op *op)
{
    sim_cluster *c = owner->cluster;
    sim_session *to = sub->session;
    const char *change = sim_live_change(sub->matched, matches);
    if (change == NULL) return;
    const wm_buffer *message = sim_live_query_update(sub, op, matches, "type", change);
    wm_buffer_clear(&c->text);
    sim_json_from_msgpack(message->data, message->len, &c->text);

    uint16_t backup = c->backups[sim_write_partition(owner, op)];
    if (to->node != owner || backup == SIM_NO_NODE) sim_session_send_text(to, &c->text);
    if (backup != SIM_NO_NODE && to->node->index != backup && c->nodes[backup]->running)
        sim_delay_call(&to->delays, BACKUP_REPORT_MS, send_text_late, to, c->text.data, c->text.len);
}

static void live_update(sim_node *holder, sim_subscription *sub, bool matches, const sim_op *op,
                        const sim_session *writer)
{
    (void)writer; /* it gets its own writes, too */
    if (is_overlooked(sub, op)) return;
    if (sim_cluster_is_multi_node(holder->cluster)) {
        report(holder, sub, matches, op);
    } else if (matches || sub->matched) {
        const char *change = matches ? "UPDATE" : "REMOVE";
        sim_session_send_now(sub->session, sim_live_query_update(sub, op, matches, "type", change));
    }
}

/* -- queries -- */

static void respond_alone(sim_session *s, const sim_subscription *sub)
{
    sim_cluster *c = s->node->cluster;
    const sim_map *map = sim_store_find_map(&s->node->store, sub->map);
    uint32_t count;
    bool cut;
    sim_record **found = sim_query_run(&sub->query, map, sim_wall_ms(), NULL, NULL, &count, &cut);
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_QUERY_RESP, 5);
    sim_put_pair(b, "queryId", sub->id, sub->id_len);
    sim_put_text(b, "results");
    wm_mp_write_array(b, count);
    sim_put_results(b, c->family, found, count);
    sim_put_text(b, "nextCursor"); /* cursors are not simulated */
    sim_put_undefined(b);
    sim_put_text(b, "hasMore");
    wm_mp_write_bool(b, cut);
    sim_put_pair(b, "cursorStatus", "none", 4);
    sim_session_send(s, b);
    free(found);
}

/* Each record counts where it is owned: its backup would repeat it. What JavaScript takes for false is left out. */
static bool is_told(void *user, const sim_record *r)
{
    const sim_node *n = user;
    if (sim_is_falsy(r->value, r->value_len)) return false;
    return n->cluster->owners[sim_partition_of(n->cluster, r->item.key_hash)] == n->index;
}

/* Sorted and cut per node, not as a whole: as the server does it. */
static void respond_for_all(sim_session *s, const sim_subscription *sub)
{
    sim_cluster *c = s->node->cluster;
    sim_record **found[SIM_NODES_MAX];
    uint32_t counts[SIM_NODES_MAX], total = 0;
    uint64_t now = sim_wall_ms();
    bool cut;
    for (uint32_t i = 0; i < c->node_count; i++) {
        sim_node *n = c->nodes[i];
        const sim_map *map = n->running ? sim_store_find_map(&n->store, sub->map) : NULL;
        found[i] = sim_query_run(&sub->query, map, now, is_told, n, &counts[i], &cut);
        total += counts[i];
    }
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_QUERY_RESP, 2);
    sim_put_pair(b, "queryId", sub->id, sub->id_len);
    sim_put_text(b, "results");
    wm_mp_write_array(b, total);
    for (uint32_t i = 0; i < c->node_count; i++) {
        sim_put_results(b, c->family, found[i], counts[i]);
        free(found[i]);
    }
    sim_session_send(s, b);
}

static void refuse_query(sim_session *s, sim_subscription *sub)
{
    static const char text[] = "Failed to create distributed subscription";
    wm_buffer *b = sim_begin_payload(s->node->cluster, WM_TYPE_QUERY_RESP, 3);
    sim_put_pair(b, "queryId", sub->id, sub->id_len);
    sim_put_text(b, "results");
    wm_mp_write_array(b, 0);
    sim_put_pair(b, "error", text, sizeof text - 1);
    sim_session_send(s, b);
    sim_unsubscribe_one(s->node->cluster->subscriptions, sub);
}

static void query_response(sim_session *s, sim_subscription *sub)
{
    if (!sim_cluster_is_multi_node(s->node->cluster)) respond_alone(s, sub);
    else if (sub->query.has_limit && sub->query.sort_count == 0) refuse_query(s, sub);
    else respond_for_all(s, sub);
}

const sim_dialect sim_dialect_0_11 = {
    .name = "0.11",
    .release = "0.11",
    .family = SIM_FAMILY_0_11,
    .max_message = 64 * 1024 * 1024,
    .max_answer = SIZE_MAX,
    .too_big_is_fatal = true,
    .any_path = true,
    .coalesces = true,
    .replicates = true,
    .idle_ms = 20000,
    .idle_code = 4002,
    .idle_reason = "Heartbeat timeout",
    .push_ms = 10,
    .first_version = first_version,
    .endpoint = endpoint,
    .authenticate = authenticate,
    .malformed = malformed,
    .invalid = invalid,
    .early = early,
    .write_batch = write_batch,
    .client_op = client_op,
    .live_update = live_update,
    .query_response = query_response,
};
