#include "sim/model/stats.h"

#include <stdlib.h>
#include <string.h>

#include "sim/wire/alloc.h"
#include "sim/wire/json.h"

void sim_stats_reset(sim_stats *s)
{
    if (s->received != NULL)
        for (uint32_t i = 0; i < SIM_KEPT_OPS; i++) free(s->received[i].text);
    free(s->received);
    memset(s, 0, sizeof *s);
}

void sim_stats_map_request(sim_stats *s, uint64_t at_ms, uint64_t current_version)
{
    s->requests[s->map_requests++ % SIM_KEPT_REQUESTS] = (sim_map_request){at_ms, current_version};
}

void sim_stats_batch(sim_stats *s, uint32_t size)
{
    s->sizes[s->op_batches++ % SIM_KEPT_SIZES] = size;
    s->ops += size;
}

static char *keep(char *at, sim_span *text)
{
    if (text->len > 0) memcpy(at, text->p, text->len);
    text->p = at;
    return at + text->len;
}

void sim_stats_received(sim_stats *s, const sim_arrival *op)
{
    if (s->received == NULL) s->received = sim_alloc(SIM_KEPT_OPS * sizeof *s->received);
    sim_received *r = &s->received[s->received_count++ % SIM_KEPT_OPS];
    size_t len = op->id.len + op->key.len + op->writer.len;
    if (len > r->cap) {
        r->cap = (uint32_t)len;
        r->text = sim_realloc(r->text, r->cap);
    }
    r->op = *op;
    keep(keep(keep(r->text, &r->op.id), &r->op.key), &r->op.writer);
}

/* The first number of a ring's oldest kept element. */
static uint64_t oldest(uint64_t count, uint64_t kept)
{
    return count > kept ? count - kept : 0;
}

static void counter(wm_buffer *out, const char *name, uint64_t v)
{
    sim_json_printf(out, "\"%s\":%llu,", name, (unsigned long long)v);
}

void sim_stats_json(const sim_stats *s, uint32_t open, wm_buffer *out)
{
    sim_json_raw(out, "{");
    counter(out, "opened", s->opened);
    counter(out, "open", open);
    counter(out, "auths", s->auths);
    counter(out, "map_requests", s->map_requests);
    counter(out, "op_batches", s->op_batches);
    counter(out, "ops", s->ops);
    counter(out, "client_ops", s->client_ops);
    counter(out, "foreign_ops", s->foreign_ops);
    counter(out, "acks", s->acks);
    counter(out, "pings", s->pings);
    counter(out, "overloads", s->overloads);
    counter(out, "events_dropped", s->events_dropped);
    counter(out, "sync_inits", s->sync_inits);
    counter(out, "bucket_requests", s->bucket_requests);
    sim_json_raw(out, "\"map_request_list\":[");
    uint64_t first = oldest(s->map_requests, SIM_KEPT_REQUESTS);
    for (uint64_t i = first; i < s->map_requests; i++) {
        const sim_map_request *r = &s->requests[i % SIM_KEPT_REQUESTS];
        sim_json_printf(out, "%s{\"ms\":%llu,\"currentVersion\":%llu}", i > first ? "," : "",
                        (unsigned long long)r->at_ms, (unsigned long long)r->current_version);
    }
    sim_json_raw(out, "],\"batch_sizes\":[");
    first = oldest(s->op_batches, SIM_KEPT_SIZES);
    for (uint64_t i = first; i < s->op_batches; i++)
        sim_json_printf(out, "%s%u", i > first ? "," : "", s->sizes[i % SIM_KEPT_SIZES]);
    sim_json_raw(out, "]}");
}

void sim_stats_received_json(const sim_stats *s, wm_buffer *out)
{
    uint64_t first = oldest(s->received_count, SIM_KEPT_OPS);
    sim_json_printf(out, "\"total\":%llu", (unsigned long long)s->received_count);
    for (int keys = 0; keys < 2; keys++) {
        sim_json_raw(out, keys ? ",\"keys\":[" : ",\"ids\":[");
        for (uint64_t i = first; i < s->received_count; i++) {
            const sim_received *r = &s->received[i % SIM_KEPT_OPS];
            if (i > first) sim_json_raw(out, ",");
            const sim_span *text = keys ? &r->op.key : &r->op.id;
            sim_json_string(out, text->p, text->len);
        }
        sim_json_raw(out, "]");
    }
}

void sim_stats_arrivals_json(const sim_stats *s, wm_buffer *out)
{
    uint64_t first = oldest(s->received_count, SIM_KEPT_OPS);
    sim_json_printf(out, "\"total\":%llu,\"arrivals\":[", (unsigned long long)s->received_count);
    for (uint64_t i = first; i < s->received_count; i++) {
        const sim_arrival *op = &s->received[i % SIM_KEPT_OPS].op;
        sim_json_raw(out, i > first ? ",[" : "[");
        sim_json_string(out, op->key.p, op->key.len);
        sim_json_printf(out, ",%llu,%llu,", (unsigned long long)op->millis, (unsigned long long)op->counter);
        sim_json_string(out, op->writer.p, op->writer.len);
        sim_json_printf(out, ",%llu,%s,%s]", (unsigned long long)op->session, op->foreign ? "true" : "false",
                        op->refused ? "true" : "false");
    }
    sim_json_raw(out, "]");
}
