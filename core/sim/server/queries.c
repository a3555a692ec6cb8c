#include "sim/server/queries.h"

#include <string.h>

#include "sim/model/query.h"
#include "sim/model/subscription.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/wire/payload.h"

/* The time-out of head's query coordinator, for which the answers to other requests were seen to wait. */
#define HELD_MS 5000

bool sim_on_query_sub(sim_session *s, const wm_message *m)
{
    sim_cluster *c = s->node->cluster;
    wm_mp_item id = sim_payload_item(m, "queryId"), map = sim_payload_item(m, "mapName");
    const uint8_t *field;
    size_t len;
    sim_query query;
    if (id.kind != WM_MP_STR || map.kind != WM_MP_STR) return false;
    wm_mp_find(m->payload, m->payload_len, "query", &field, &len);
    if (field == NULL || !sim_query_read(c->family, c->dialect->sort_form, field, len, &query)) return false;
    const sim_name *name = sim_names_get(&c->names, (const char *)map.bytes, map.len);
    sim_subscription *sub = sim_subscribe(c->subscriptions, s, name, (const char *)id.bytes, id.len, query);
    if (c->dialect->queries_hang && sim_cluster_is_multi_node(c)) s->held_until_ms = uv_now(c->loop) + HELD_MS;
    else c->dialect->query_response(s, sub);
    return true;
}

bool sim_on_query_unsub(sim_session *s, const wm_message *m)
{
    wm_mp_item id = sim_payload_item(m, "queryId");
    if (id.kind != WM_MP_STR) return false;
    sim_unsubscribe(s->node->cluster->subscriptions, s, (const char *)id.bytes, id.len);
    return true;
}

void sim_put_results(wm_buffer *b, sim_family family, sim_record **records, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const sim_record *r = records[i];
        sim_put_map(b, family, 2);
        sim_put_pair(b, "key", r->key, r->key_len);
        sim_put_text(b, "value");
        wm_mp_write_raw(b, r->value, r->value_len);
    }
}
