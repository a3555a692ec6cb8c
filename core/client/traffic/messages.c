/* Messages that the core handles itself: acknowledgements, partition maps, errors. All others become
 * events for the script. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"

/* Whether the message is nothing but the answer to a subscription, or one of its updates. */
static bool is_of_subscription(const wm_client *c, const wm_message *m)
{
    const wm_message_name *id = &m->names[WM_MESSAGE_QUERY];
    if (m->type != WM_TYPE_QUERY_RESP && m->type != WM_TYPE_QUERY_UPDATE) return false;
    return id->text != NULL && wm_client_subscription(c, id->text, id->len) != NULL;
}

/* Reports a message that was too large to receive, unless it is about a subscription: nobody reads those
 * answers. */
void wm_client_on_too_large(void *user, int connection, const uint8_t *description, size_t len)
{
    wm_client *c = user;
    wm_message m;
    if (wm_message_parse(description, len, &m) == 0 && is_of_subscription(c, &m)) return;
    c->figures.stats.messages_too_large++;
    wm_client_event(c, (wm_event){.type = WM_EVENT_TOO_LARGE, .connection = connection}, description, len);
}

/* Reports a message that is too large for Lua to decode. */
static void report_too_large(wm_client *c, int connection, const wm_message *m, wm_message_limit limit)
{
    wm_buffer description;
    wm_buffer_init(&description);
    wm_message_describe(m, limit, m->body_len, &description);
    if (!description.failed) wm_client_on_too_large(c, connection, description.data, description.len);
    wm_buffer_close(&description);
}

/* Bytes of a message from which its memory is taken over, if possible, in place of a copy. */
#define TAKEN_MIN (64u * 1024)

/* Hands a message, or a part of it, to Lua for decoding, unless it is beyond a limit. */
static void forward(wm_client *c, wm_event event, const wm_message *m, const uint8_t *text, size_t len)
{
    wm_message_limit limit = wm_message_exceeds(&m->cost, &c->message_limits);
    if (limit != WM_LIMIT_NONE) report_too_large(c, event.connection, m, limit);
    else if (m->memory != NULL && len >= TAKEN_MIN) wm_event_queue_push_taken(&c->events, event, text, len, m->memory);
    else wm_client_event(c, event, text, len);
}

/* The item at the start of a field of a map. */
static bool field(const uint8_t *map, size_t map_len, const char *name, wm_mp_item *out)
{
    const uint8_t *bytes;
    size_t len;
    wm_mp_reader r;
    if (map == NULL || wm_mp_find(map, map_len, name, &bytes, &len) < 0 || bytes == NULL) return false;
    wm_mp_reader_init(&r, bytes, len);
    return wm_mp_read(&r, out) >= 0;
}

/* Whether an error's code says that the operation belongs to another node. The codes are known from the
 * type definitions; no server sends them today. */
static bool has_routing_code(const uint8_t *map, size_t len)
{
    const uint8_t *bytes;
    size_t size;
    wm_mp_reader r;
    wm_mp_item code;
    if (map == NULL || wm_mp_find(map, len, "code", &bytes, &size) < 0 || bytes == NULL) return false;
    wm_mp_reader_init(&r, bytes, size);
    if (wm_mp_read(&r, &code) < 0 || code.kind != WM_MP_STR || code.len != 9) return false;
    return memcmp(code.bytes, "NOT_OWNER", 9) == 0 || memcmp(code.bytes, "STALE_MAP", 9) == 0;
}

/* In a map itself or in its `error`. */
static bool speaks_of_routes(const uint8_t *map, size_t len)
{
    const uint8_t *error = NULL;
    size_t size = 0;
    if (map == NULL) return false;
    if (has_routing_code(map, len)) return true;
    return wm_mp_find(map, len, "error", &error, &size) >= 0 && has_routing_code(error, size);
}

/* Handles the result of one operation in an acknowledgement: {opId, success, error?}. True when the
 * operation was in flight on this connection. */
static bool take_result(wm_client *c, int connection, const uint8_t *result, size_t len)
{
    wm_mp_item id, success, error;
    if (!field(result, len, "opId", &id) || id.kind != WM_MP_STR) return false;
    if (!field(result, len, "success", &success) || success.kind != WM_MP_BOOL) return false;
    uint32_t index = wm_batcher_find_in_flight(c->batcher, connection, (const char *)id.bytes, id.len);
    if (index == WM_NO_OP) return false;
    if (success.b) return wm_batcher_ack_one(c->batcher, connection, index);
    if (speaks_of_routes(result, len)) {
        c->figures.stats.ops_resent += wm_batcher_return_in_flight(c->batcher, connection, index, c->now_us);
        return true;
    }
    if (!field(result, len, "error", &error) || error.kind != WM_MP_STR) error = (wm_mp_item){.len = 0};
    wm_client_reject(c, connection, index, error.bytes, error.len);
    return true;
}

/* Handles the results in an acknowledgement, which come before its `lastId`. Returns how many operations
 * they settled. They are known from the type definitions; no server sends them today. */
static uint32_t take_results(wm_client *c, int connection, const wm_message *m)
{
    const uint8_t *bytes;
    size_t len;
    wm_mp_reader r;
    wm_mp_item results;
    uint32_t settled = 0;
    if (m->payload == NULL || wm_mp_find(m->payload, m->payload_len, "results", &bytes, &len) < 0 || bytes == NULL) return 0;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_read(&r, &results) < 0 || results.kind != WM_MP_ARRAY) return 0;
    for (uint32_t i = 0; i < results.count; i++) {
        const uint8_t *result = r.pos;
        if (wm_mp_skip(&r) < 0) break;
        settled += take_result(c, connection, result, (size_t)(r.pos - result));
    }
    return settled;
}

static void on_op_ack(wm_client *c, int connection, const wm_message *m)
{
    const wm_message_name *last = &m->names[WM_MESSAGE_LAST];
    uint32_t settled = take_results(c, connection, m);
    if (last->text != NULL) settled += wm_batcher_ack(c->batcher, connection, last->text, last->len);
    if (settled == 0) {
        if (last->text != NULL && wm_client_is_control_ack(c, connection, last->text, last->len)) {
            wm_client_settle_refused(c, connection); /* an error that was received before was about a batch */
            return;
        }
        c->figures.stats.unmatched_acks++;
        if (c->forwards_acks) forward(c, (wm_event){.type = WM_EVENT_MESSAGE, .connection = connection}, m, m->body, m->body_len);
        return;
    }
    c->figures.stats.batches_acked++;
    c->connections.all[connection].backoff_us = 0;
    wm_client_settle_refused(c, connection);
    if (wm_batcher_aside(c->batcher) > 0) wm_client_reject_poison(c);
    wm_client_check_watermarks(c);
    if (wm_batcher_is_due(c->batcher, connection, c->now_us)) wm_node_pool_want_batch(c->pool, connection);
}

/* The operation that was rejected, if it is in flight here. */
static uint32_t rejected_op(wm_client *c, int connection, const wm_message *m)
{
    wm_mp_item id;
    if (!wm_message_text(m, "opId", &id)) return WM_NO_OP;
    return wm_batcher_find_in_flight(c->batcher, connection, (const char *)id.bytes, id.len);
}

/* The newest v2 servers say whether it is; without that field it is. */
static bool is_for_good(const wm_message *m)
{
    wm_mp_item it;
    return !field(m->payload, m->payload_len, "permanent", &it) || it.kind != WM_MP_BOOL || it.b;
}

static void on_op_rejected(wm_client *c, int connection, const wm_message *m)
{
    wm_mp_item reason;
    uint32_t index = rejected_op(c, connection, m);
    if (index == WM_NO_OP) { /* the acknowledgement of a message of the script's own, or a late one */
        forward(c, (wm_event){.type = WM_EVENT_MESSAGE, .connection = connection}, m, m->body, m->body_len);
        return;
    }
    bool is_route = speaks_of_routes(m->payload, m->payload_len) || speaks_of_routes(m->body, m->body_len);
    if (is_route || !is_for_good(m)) {
        wm_client_throttle(c, connection);
        c->figures.stats.ops_resent += wm_batcher_return_in_flight(c->batcher, connection, index, c->now_us);
        forward(c, (wm_event){.type = WM_EVENT_SERVER_ERROR, .connection = connection, .flag = true}, m, m->body, m->body_len);
        return;
    }
    if (!wm_message_text(m, "reason", &reason)) reason = (wm_mp_item){.len = 0};
    wm_client_reject(c, connection, index, reason.bytes, reason.len);
}

static void map_event(wm_client *c, int connection)
{
    int node_index = wm_node_pool_node_of(c->pool, connection);
    wm_event event = {
        .type = WM_EVENT_MAP,
        .connection = connection,
        .a = (int64_t)wm_map_chooser_version_of(c->chooser, node_index),
        .flag = wm_client_choose_map(c),
    };
    wm_client_event(c, event, NULL, 0);
}

/* Whether a node's map differs from its last one, or, for its first, from the map that is in use. */
static bool is_membership_change(const wm_client *c, int connection, const wm_partition_map *map)
{
    if (wm_node_pool_connection(c->pool, connection).dialect == WM_DIALECT_V2) return false;
    const wm_partition_map *held = wm_map_chooser_map_of(c->chooser, wm_node_pool_node_of(c->pool, connection));
    if (held == NULL) held = wm_map_chooser_map(c->chooser);
    return held != NULL && !wm_partition_map_has_same_owners(held, map);
}

static void refuse_map(wm_client *c, int connection, const char *error)
{
    wm_client_event(c, (wm_event){.type = WM_EVENT_MAP_ERROR, .connection = connection}, error, strlen(error));
}

/* Refuses a map or a delta with too many elements: it is read in one go. */
static bool is_too_long(wm_client *c, int connection, const wm_message *m)
{
    char error[WM_MAP_ERROR_MAX];
    if (m->cost.elements <= WM_MAP_ELEMENTS_MAX) return false;
    snprintf(error, sizeof error, "partition map: %u keys and values; at most %u are taken", m->cost.elements, WM_MAP_ELEMENTS_MAX);
    refuse_map(c, connection, error);
    return true;
}

static void on_partition_map(wm_client *c, int connection, const wm_message *m)
{
    char error[WM_MAP_ERROR_MAX] = "partition map: no payload";
    wm_partition_map *map = NULL;
    if (is_too_long(c, connection, m)) return;
    int node_index = wm_node_pool_node_of(c->pool, connection);
    if (m->payload != NULL) map = wm_map_chooser_decode(c->chooser, node_index, m->payload, m->payload_len, error);
    if (map == NULL) {
        refuse_map(c, connection, error);
        return;
    }
    bool has_changed = is_membership_change(c, connection, map);
    if (wm_map_chooser_offer(c->chooser, node_index, map) != 1) return;
    if (has_changed) wm_client_membership_changed(c);
    map_event(c, connection);
}

static void on_partition_map_delta(wm_client *c, int connection, const wm_message *m)
{
    const char *error = "partition map delta: no payload";
    int node_index = wm_node_pool_node_of(c->pool, connection);
    if (is_too_long(c, connection, m)) return;
    if (m->payload != NULL && wm_map_chooser_apply_delta(c->chooser, node_index, m->payload, m->payload_len, &error) == WM_OK) map_event(c, connection);
    else refuse_map(c, connection, error);
}

static void on_error(wm_client *c, int connection, const wm_message *m)
{
    bool is_route = speaks_of_routes(m->payload, m->payload_len) || speaks_of_routes(m->body, m->body_len);
    bool had_batches = is_route ? wm_client_refuse_batches(c, connection) : wm_client_refused(c, connection, m);
    wm_event event = {.type = WM_EVENT_SERVER_ERROR, .connection = connection, .flag = had_batches};
    forward(c, event, m, m->body, m->body_len);
}

/* What is no map is left to the script, which refuses the message. */
static bool is_change(const wm_message *m)
{
    wm_mp_reader r;
    wm_mp_item payload;
    if (m->type != WM_TYPE_SERVER_EVENT || m->payload == NULL) return false;
    wm_mp_reader_init(&r, m->payload, m->payload_len);
    return wm_mp_read(&r, &payload) >= 0 && payload.kind == WM_MP_MAP;
}

/* Handles messages about operations and about the cluster. True when nothing else is to be done. */
static bool take(wm_client *c, int connection, const wm_message *m)
{
    switch (m->type) {
    case WM_TYPE_OP_ACK: on_op_ack(c, connection, m); return true;
    case WM_TYPE_PARTITION_MAP: on_partition_map(c, connection, m); return true;
    case WM_TYPE_PARTITION_MAP_DELTA: on_partition_map_delta(c, connection, m); return true;
    case WM_TYPE_OP_REJECTED: on_op_rejected(c, connection, m); return true;
    case WM_TYPE_ERROR: on_error(c, connection, m); return true;
    default: return false;
    }
}

/* The same for a listening connection, which has no operations in flight. The node sends its maps on the
 * other connections, too. */
static bool take_as_listener(wm_client *c, int connection, const wm_message *m)
{
    if (m->type == WM_TYPE_ERROR) forward(c, (wm_event){.type = WM_EVENT_SERVER_ERROR, .connection = connection}, m, m->body, m->body_len);
    return m->type == WM_TYPE_ERROR || m->type == WM_TYPE_PARTITION_MAP || m->type == WM_TYPE_PARTITION_MAP_DELTA;
}

void wm_client_on_message(void *user, int connection, const wm_message *m)
{
    wm_client *c = user;
    c->now_us = wm_now_us();
    bool is_listener = wm_node_pool_is_listener(c->pool, connection);
    if (is_listener ? take_as_listener(c, connection, m) : take(c, connection, m)) return;
    if (wm_client_replica_takes(c, connection, m)) return;
    if (is_change(m)) forward(c, (wm_event){.type = WM_EVENT_MAP_EVENT, .connection = connection}, m, m->payload, m->payload_len);
    else if (!is_of_subscription(c, m))
        forward(c, (wm_event){.type = WM_EVENT_MESSAGE, .connection = connection}, m, m->body, m->body_len);
}

void wm_client_on_map_event(void *user, int connection, const uint8_t *event, size_t len, const wm_message_cost *cost)
{
    if (wm_client_replica_takes_event(user, connection, event, len)) return;
    const char *name = wm_message_type_name(WM_TYPE_SERVER_BATCH_EVENT);
    wm_message m = {.type_name = name, .type_name_len = strlen(name), .body = event, .body_len = len, .cost = *cost};
    forward(user, (wm_event){.type = WM_EVENT_MAP_EVENT, .connection = connection, .a = 1}, &m, event, len);
}

/* Estimates the cost of decoding a JSON text by the number of its values: outside of strings each of them
 * but the first of a container follows a comma or a colon. */
static wm_message_cost cost_of_json(const uint8_t *bytes, size_t len)
{
    wm_message_cost cost = {.lua_bytes = len};
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = bytes[i];
        if (c == '"') in_string = !in_string;
        else if (c == '\\') i++; /* the rest is part of a string, or the text is no JSON */
        else if (in_string) continue;
        else if (c == ',' || c == ':' || c == '[' || c == '{') cost.elements++;
    }
    cost.lua_bytes += (size_t)cost.elements * 88; /* as if each value were a table */
    return cost;
}

/* The subscription that a text is about: one that begins as the updates that 0.11 clusters send, by the order of its
 * fields. NULL when it is about none. */
static const wm_subscription *subscription_of_text(const wm_client *c, const uint8_t *bytes, size_t len)
{
    static const char head[] = "{\"type\":\"QUERY_UPDATE\",\"payload\":{\"queryId\":\"";
    const size_t head_len = sizeof head - 1;
    if (len <= head_len || memcmp(bytes, head, head_len) != 0) return NULL;
    const uint8_t *id = bytes + head_len, *end = memchr(id, '"', len - head_len);
    return end != NULL ? wm_client_subscription(c, (const char *)id, (size_t)(end - id)) : NULL;
}

/* The JSON parser, lua-cjson, cannot decode a text in parts. */
void wm_client_on_text(void *user, int connection, const uint8_t *bytes, size_t len)
{
    wm_client *c = user;
    const wm_subscription *subscription = subscription_of_text(c, bytes, len);
    if (subscription != NULL) { /* nobody would read it */
        if (subscription->map != NULL) wm_client_replica_hint(c, subscription->map);
        return;
    }
    wm_message m = {.type_name = "", .body = bytes, .body_len = len};
    if (len > c->message_limits.text_bytes) {
        report_too_large(c, connection, &m, WM_LIMIT_TEXT);
        return;
    }
    m.cost = cost_of_json(bytes, len);
    forward(c, (wm_event){.type = WM_EVENT_TEXT, .connection = connection}, &m, bytes, len);
}
