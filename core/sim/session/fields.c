#include "sim/session/fields.h"

#include <string.h>

#include "base/msgpack.h"

wm_buffer *sim_begin(sim_cluster *c, wm_message_type type, uint32_t more)
{
    wm_buffer *b = &c->out;
    wm_buffer_clear(b);
    sim_put_map(b, c->family, 1 + more);
    wm_message_write_type(b, type);
    return b;
}

wm_buffer *sim_begin_payload(sim_cluster *c, wm_message_type type, uint32_t fields)
{
    wm_buffer *b = sim_begin(c, type, 1);
    sim_put_text(b, "payload");
    sim_put_map(b, c->family, fields);
    return b;
}

void sim_put_pair(wm_buffer *b, const char *key, const char *text, size_t len)
{
    sim_put_text(b, key);
    wm_mp_write_str(b, text, len);
}

void sim_put_timestamp(wm_buffer *b, sim_family family, uint64_t millis, uint64_t counter, const char *node, size_t len)
{
    sim_put_map(b, family, 3);
    sim_put_text(b, "millis");
    sim_put_uint(b, family, millis);
    sim_put_text(b, "counter");
    sim_put_uint(b, family, counter);
    sim_put_pair(b, "nodeId", node, len);
}

void sim_put_now(wm_buffer *b, sim_node *n)
{
    wm_hlc_now(&n->clock, sim_wall_ms());
    sim_put_timestamp(b, n->cluster->family, n->clock.millis, n->clock.counter, n->id, strlen(n->id));
}

void sim_put_record(wm_buffer *b, sim_family family, const sim_record *r)
{
    bool has_ttl = family == SIM_FAMILY_V2 || r->ttl_ms > 0;
    sim_put_map(b, family, has_ttl ? 3 : 2);
    sim_put_text(b, "value");
    wm_mp_write_raw(b, r->value, r->value_len);
    sim_put_text(b, "timestamp");
    sim_put_timestamp(b, family, r->millis, r->counter, r->node->text, r->node->len);
    if (!has_ttl) return;
    sim_put_text(b, "ttlMs");
    if (family == SIM_FAMILY_V2) wm_mp_write_nil(b);
    else wm_mp_write_number(b, r->ttl_ms);
}
