/* A frame from a client: into the family's encoding, past authentication, to the
 * handler of its type. */
#include "sim/server/dispatch.h"

#include <string.h>

#include "sim/server/devices.h"
#include "sim/server/map_message.h"
#include "sim/server/or_maps.h"
#include "sim/server/queries.h"
#include "sim/server/sync.h"
#include "sim/server/writes.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/session/reply.h"
#include "sim/session/session.h"
#include "sim/wire/compare.h"
#include "sim/wire/json.h"

#define CLIENT_BATCH_ITEMS_MAX 8192 /* of the v2 server */

/* Handlers give false when the message does not fit its schema. */

static bool on_ping(sim_session *s, const wm_message *m)
{
    sim_cluster *c = s->node->cluster;
    const uint8_t *field;
    size_t len;
    uint64_t whole;
    wm_mp_find(m->body, m->body_len, "timestamp", &field, &len);
    wm_mp_item it = sim_item_of(field, len);
    bool is_number = it.kind == WM_MP_UINT || it.kind == WM_MP_INT || it.kind == WM_MP_FLOAT;
    bool is_whole = wm_mp_as_uint(&it, &whole);
    if (c->family == SIM_FAMILY_V2 ? !is_whole : !is_number) return false;

    s->node->stats.pings++;
    s->last_ping_ms = sim_wall_ms();
    wm_buffer *b = sim_begin(c, WM_TYPE_PONG, 2);
    sim_put_text(b, "timestamp");
    if (c->family == SIM_FAMILY_V2) sim_put_uint(b, c->family, whole);
    else wm_mp_write_raw(b, field, len);
    sim_put_text(b, "serverTime");
    sim_put_uint(b, c->family, s->last_ping_ms);
    sim_session_send_now(s, b);
    return true;
}

static bool on_auth(sim_session *s, const wm_message *m)
{
    const uint8_t *field;
    size_t len;
    wm_mp_find(m->body, m->body_len, "token", &field, &len);
    wm_mp_item token = sim_item_of(field, len);
    if (token.kind != WM_MP_STR) return false;
    bool takes_no_token = s->node->cluster->family == SIM_FAMILY_V2 && s->node->cluster->options->no_auth;
    if (s->authenticated || takes_no_token) return true; /* ignored, valid or not */
    wm_mp_find(m->body, m->body_len, "deviceToken", &field, &len);
    wm_mp_item device = sim_item_of(field, len);
    s->node->cluster->dialect->authenticate(s, (const char *)token.bytes, token.len, &device);
    return true;
}

/* v2 answers these two with the number of an internal call. */
static bool on_unmatched_ack(sim_session *s, const wm_message *m)
{
    sim_node *n = s->node;
    (void)m;
    if (n->cluster->family != SIM_FAMILY_V2) return true;
    char number[24];
    int len = snprintf(number, sizeof number, "%llu", (unsigned long long)n->calls);
    sim_reply_ack(s, (sim_span){number, (size_t)len}, NULL);
    return true;
}

/* v2: u32 big-endian length and message, until the end. */
static bool on_client_batch(sim_session *s, const wm_message *m)
{
    const uint8_t *field;
    size_t len;
    if (s->node->cluster->family != SIM_FAMILY_V2) return false;
    wm_mp_find(m->body, m->body_len, "data", &field, &len);
    wm_mp_item data = sim_item_of(field, len);
    if (data.kind != WM_MP_BIN) return false;
    if (data.len == 0) return true;

    wm_buffer copy, inner; /* the scratch frame is used again for each item */
    wm_buffer_init(&copy);
    wm_buffer_init(&inner);
    wm_buffer_append(&copy, data.bytes, data.len);
    const uint8_t *p = copy.data, *end = copy.data + copy.len;
    for (int items = 0; end - p >= 4 && items < CLIENT_BATCH_ITEMS_MAX; items++) {
        size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        p += 4;
        if (size > (size_t)(end - p)) break;
        wm_message message;
        wm_buffer_clear(&inner);
        bool ok = sim_recode(SIM_FAMILY_V2, p, size, &inner) == 0;
        ok = ok && wm_message_parse(inner.data, inner.len, &message) == 0;
        if (ok && message.type != WM_TYPE_BATCH) sim_session_handle(s, inner.data, inner.len);
        p += size;
    }
    wm_buffer_close(&copy);
    wm_buffer_close(&inner);
    return true;
}

/* Known to the servers, not simulated: neither an answer nor an error. */
static bool ignore(sim_session *s, const wm_message *m)
{
    (void)s;
    (void)m;
    return true;
}

typedef bool (*handler)(sim_session *s, const wm_message *m);

/* By type; NULL: a client sends no such message. */
static const handler handlers[WM_MESSAGE_TYPE_COUNT] = {
    [WM_TYPE_OP_BATCH] = sim_on_op_batch,
    [WM_TYPE_CLIENT_OP] = sim_on_client_op,
    [WM_TYPE_PING] = on_ping,
    [WM_TYPE_AUTH] = on_auth,
    [WM_TYPE_DEVICE_HELLO] = sim_on_device_hello,
    [WM_TYPE_PARTITION_MAP_REQUEST] = sim_on_map_request,
    [WM_TYPE_QUERY_SUB] = sim_on_query_sub,
    [WM_TYPE_QUERY_UNSUB] = sim_on_query_unsub,
    [WM_TYPE_SYNC_INIT] = sim_on_sync_init,
    [WM_TYPE_MERKLE_REQ_BUCKET] = sim_on_merkle_request,
    [WM_TYPE_SEARCH_UNSUB] = on_unmatched_ack,
    [WM_TYPE_ORMAP_PUSH_DIFF] = on_unmatched_ack,
    [WM_TYPE_ORMAP_DIFF_REQUEST] = sim_on_or_map_diff_request,
    [WM_TYPE_BATCH] = on_client_batch,
    [WM_TYPE_TOPIC_SUB] = ignore,
    [WM_TYPE_TOPIC_UNSUB] = ignore,
    [WM_TYPE_TOPIC_PUB] = ignore,
    [WM_TYPE_LOCK_REQUEST] = ignore,
    [WM_TYPE_LOCK_RELEASE] = ignore,
    [WM_TYPE_COUNTER_REQUEST] = ignore,
    [WM_TYPE_COUNTER_SYNC] = ignore,
    [WM_TYPE_ENTRY_PROCESS] = ignore,
    [WM_TYPE_ENTRY_PROCESS_BATCH] = ignore,
    [WM_TYPE_SEARCH] = ignore,
    [WM_TYPE_SEARCH_SUB] = ignore,
    [WM_TYPE_JOURNAL_SUBSCRIBE] = ignore,
    [WM_TYPE_JOURNAL_UNSUBSCRIBE] = ignore,
    [WM_TYPE_JOURNAL_READ] = ignore,
    [WM_TYPE_REGISTER_RESOLVER] = ignore,
    [WM_TYPE_UNREGISTER_RESOLVER] = ignore,
    [WM_TYPE_LIST_RESOLVERS] = ignore,
    [WM_TYPE_ORMAP_SYNC_INIT] = ignore,
    [WM_TYPE_ORMAP_MERKLE_REQ_BUCKET] = ignore,
};

static void handle_late(void *owner, const uint8_t *bytes, size_t len)
{
    sim_session_handle(owner, bytes, len);
}

/* Head, in a cluster: after a QUERY_SUB the connection's requests wait, operations do not. */
static bool is_held(const sim_session *s, wm_message_type type)
{
    if (uv_now(s->node->cluster->loop) >= s->held_until_ms) return false;
    return type != WM_TYPE_OP_BATCH && type != WM_TYPE_CLIENT_OP && type != WM_TYPE_QUERY_SUB && type != WM_TYPE_QUERY_UNSUB;
}

void sim_session_handle(sim_session *s, const uint8_t *bytes, size_t len)
{
    const sim_dialect *d = s->node->cluster->dialect;
    wm_message m;
    if (s->closing) return;
    const char *unreadable = s->node->faults.unreadable;
    if (unreadable[0] != 0 && memmem(bytes, len, unreadable, strlen(unreadable)) != NULL) {
        sim_session_close(s, 1002, "Protocol Error");
        return;
    }
    bool is_read = wm_message_parse(bytes, len, &m) == 0;
    if (is_read && is_held(s, m.type)) {
        sim_delay_call(&s->delays, s->held_until_ms - uv_now(s->node->cluster->loop), handle_late, s, bytes, len);
        return;
    }
    s->node->calls++;
    if (is_read) s->carried[m.type]++;
    handler handle = is_read ? handlers[m.type] : NULL;
    if (handle == NULL) {
        d->invalid(s);
        return;
    }
    if (!sim_session_ready(s) && handle != on_auth && !d->early(s, &m)) return;
    if (!handle(s, &m)) d->invalid(s);
}

/* v2 works on several messages of a connection at once, so a batch may overtake
 * an earlier one, in effect as in acknowledgement. */
static bool is_reordered(const sim_session *s, const wm_buffer *frame)
{
    wm_message m;
    if (!s->node->faults.reorder || s->node->cluster->family != SIM_FAMILY_V2) return false;
    return wm_message_parse(frame->data, frame->len, &m) == 0 && m.type == WM_TYPE_OP_BATCH;
}

void sim_session_receive(sim_session *s, bool text, const uint8_t *bytes, size_t len)
{
    sim_cluster *c = s->node->cluster;
    wm_buffer *frame = &c->frame;
    if (s->closing || (text && c->family == SIM_FAMILY_V2)) return;
    wm_buffer_clear(frame);
    bool ok = !text && sim_recode(c->family, bytes, len, frame) == 0;
    if (!ok && c->family == SIM_FAMILY_0_11) {
        wm_buffer_clear(frame);
        ok = sim_json_to_msgpack((const char *)bytes, len, frame);
    }
    if (!ok) c->dialect->malformed(s);
    else if (is_reordered(s, frame))
        sim_delay_call(&s->delays, sim_random(c, SIM_REORDER_MS + 1), handle_late, s, frame->data, frame->len);
    else sim_session_handle(s, frame->data, frame->len);
}
