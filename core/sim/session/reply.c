#include "sim/session/reply.h"

#include <string.h>

#include "base/msgpack.h"
#include "sim/session/fields.h"
#include "sim/session/session.h"

void sim_reply_error(sim_session *s, int code, const char *message, bool with_details)
{
    sim_cluster *c = s->node->cluster;
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_ERROR, with_details ? 3 : 2);
    sim_put_text(b, "code");
    sim_put_uint(b, c->family, (uint64_t)code);
    sim_put_pair(b, "message", message, strlen(message));
    if (with_details) {
        sim_put_text(b, "details");
        sim_put_undefined(b);
    }
    sim_session_send_now(s, b);
}

/* -- acknowledgements -- */

static void send_ack(sim_session *s, const wm_buffer *ack)
{
    s->node->stats.acks++;
    sim_session_send(s, ack);
}

static void send_late_ack(void *owner, const uint8_t *bytes, size_t len)
{
    sim_session *s = owner;
    wm_buffer ack = {.data = (uint8_t *)bytes, .len = len, .cap = len};
    send_ack(s, &ack);
}

void sim_reply_ack(sim_session *s, sim_span id, const char *level)
{
    sim_cluster *c = s->node->cluster;
    sim_faults *f = &s->node->faults;
    if (f->ack_drop > 0) {
        f->ack_drop--;
        return;
    }
    wm_buffer *b = sim_begin_payload(c, WM_TYPE_OP_ACK, level != NULL ? 2 : 1);
    sim_put_text(b, "lastId");
    if (id.p != NULL) wm_mp_write_str(b, id.p, id.len);
    else if (c->family == SIM_FAMILY_0_11) sim_put_undefined(b);
    else sim_put_text(b, "unknown");
    if (level != NULL) sim_put_pair(b, "achievedLevel", level, strlen(level));

    int copies = 1;
    if (f->ack_duplicate > 0) {
        f->ack_duplicate--;
        copies = 2;
    }
    /* v2 reorders whole batches before they are applied, see dispatch.c. */
    uint64_t delay = f->ack_delay_ms, done = s->node->backlog.done_ms;
    if (f->reorder && c->family == SIM_FAMILY_0_11) delay += sim_random(c, SIM_REORDER_MS + 1);
    for (; copies > 0; copies--) {
        if (done != 0) sim_delay_until(&s->delays, done + delay, send_late_ack, s, b->data, b->len);
        else if (delay == 0) send_ack(s, b);
        else sim_delay_call(&s->delays, delay, send_late_ack, s, b->data, b->len);
    }
}

/* -- refused batches -- */

static void put_hint(wm_buffer *b, sim_session *s, sim_batch_error error, const sim_op *op)
{
    sim_node *n = s->node;
    sim_cluster *c = n->cluster;
    if (error == SIM_BATCH_STALE_MAP) {
        sim_put_map(b, c->family, 2);
        sim_put_text(b, "clientVersion");
        sim_put_uint(b, c->family, n->map_version > 0 ? n->map_version - 1 : 0);
        sim_put_text(b, "serverVersion");
        sim_put_uint(b, c->family, n->map_version);
        return;
    }
    uint32_t partition = op != NULL ? sim_partition_of(c, wm_hash(n->store.hash, op->key.p, op->key.len)) : 0;
    uint16_t owner = c->owners[partition];
    sim_put_map(b, c->family, 3);
    sim_put_text(b, "partitionId");
    sim_put_uint(b, c->family, partition);
    sim_put_text(b, "currentOwner");
    sim_put_text(b, owner != SIM_NO_NODE ? c->nodes[owner]->id : "");
    sim_put_text(b, "mapVersion");
    sim_put_uint(b, c->family, n->map_version);
}

static void put_named_error(wm_buffer *b, sim_session *s, sim_batch_error error, const sim_op *op)
{
    bool stale = error == SIM_BATCH_STALE_MAP;
    sim_put_map(b, s->node->cluster->family, 3);
    sim_put_text(b, "code");
    sim_put_text(b, stale ? "STALE_MAP" : "NOT_OWNER");
    sim_put_text(b, "message");
    sim_put_text(b, stale ? "Client partition map is stale" : "Node does not own this partition");
    sim_put_text(b, "hint");
    put_hint(b, s, error, op);
}

bool sim_reply_batch_error(sim_session *s, const sim_op *ops, uint32_t count)
{
    sim_faults *f = &s->node->faults;
    if (f->errors_left == 0) return false;
    f->errors_left--;
    if (f->error == SIM_BATCH_ERROR_500) {
        sim_reply_error(s, 500, "simulated failure", false);
        return true;
    }
    if (f->error == SIM_BATCH_ERROR_429) {
        sim_reply_error(s, 429, "rate limit exceeded", false);
        return true;
    }
    /* No server sends these two. The type definitions name the members, the
     * reference client looks for them in `error`; they stand in both places. */
    const sim_op *first = count > 0 ? ops : NULL;
    wm_buffer *b = sim_begin(s->node->cluster, WM_TYPE_ERROR, 2);
    sim_put_text(b, "payload");
    put_named_error(b, s, f->error, first);
    sim_put_text(b, "error");
    put_named_error(b, s, f->error, first);
    sim_session_send_now(s, b);
    return true;
}
