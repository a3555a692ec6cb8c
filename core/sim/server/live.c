#include "sim/server/live.h"

#include <string.h>

#include "sim/model/query.h"
#include "sim/model/subscription.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/wire/compare.h"

void sim_live_before(sim_subscription *listeners, const sim_record *r)
{
    bool is_number = r != NULL && sim_is_number(r->value, r->value_len);
    for (sim_subscription *sub = listeners; sub != NULL; sub = sub->next_of_map) {
        sub->matched = r != NULL && sim_query_matches(&sub->query, r->value, r->value_len);
        sub->was_number = is_number;
    }
}

void sim_live_after(sim_node *holder, sim_subscription *listeners, const sim_op *op, const sim_session *writer)
{
    const sim_dialect *d = holder->cluster->dialect;
    for (sim_subscription *sub = listeners; sub != NULL; sub = sub->next_of_map)
        d->live_update(holder, sub, sim_query_matches(&sub->query, op->value, op->value_len), op, writer);
}

void sim_live_round(sim_cluster *c)
{
    c->event_stamp++;
}

bool sim_live_is_new(sim_session *s)
{
    uint64_t round = s->node->cluster->event_stamp;
    if (s->event_stamp == round) return false;
    s->event_stamp = round;
    return true;
}

const char *sim_live_change(bool matched, bool matches)
{
    if (matches) return matched ? "UPDATE" : "ENTER";
    return matched ? "LEAVE" : NULL;
}

wm_buffer *sim_live_query_update(sim_subscription *sub, const sim_op *op, bool present, const char *field,
                                 const char *change)
{
    wm_buffer *b = sim_begin_payload(sub->session->node->cluster, WM_TYPE_QUERY_UPDATE, 4);
    sim_put_pair(b, "queryId", sub->id, sub->id_len);
    sim_put_pair(b, "key", op->key.p, op->key.len);
    sim_put_text(b, "value");
    if (present) wm_mp_write_raw(b, op->value, op->value_len);
    else wm_mp_write_nil(b);
    sim_put_pair(b, field, change, strlen(change));
    return b;
}
