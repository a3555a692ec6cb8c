/* Commands that read a cluster's state back. */
#include "sim/control/control_read.h"

#include <string.h>

#include "sim/wire/json.h"

typedef void (*put_fn)(sim_control *k, sim_node *n, const sim_name *map);

/* ,"nodes":{"node-1":...} */
static void each_node(sim_control *k, const sim_node *only, const sim_name *map, put_fn put)
{
    wm_buffer *b = &k->answer;
    bool first = true;
    sim_json_raw(b, ",\"nodes\":{");
    for (uint32_t i = 0; i < k->cluster->node_count; i++) {
        sim_node *n = k->cluster->nodes[i];
        if (only != NULL && n != only) continue;
        sim_json_printf(b, "%s\"%s\":", first ? "" : ",", n->id);
        first = false;
        put(k, n, map);
    }
    sim_json_raw(b, "}");
}

static const sim_name *map_name(sim_control *k, const char *text)
{
    return sim_names_get(&k->cluster->names, text, strlen(text));
}

static void put_record(wm_buffer *b, const sim_record *r)
{
    sim_json_raw(b, "{\"value_hex\":");
    sim_json_hex(b, r->value, r->value_len);
    sim_json_printf(b, ",\"millis\":%llu,\"counter\":%llu,\"node\":", (unsigned long long)r->millis,
                    (unsigned long long)r->counter);
    sim_json_string(b, r->node->text, r->node->len);
    if (r->ttl_ms > 0) sim_json_printf(b, ",\"ttl_ms\":%.17g", r->ttl_ms);
    if (sim_value_is_nil(r->value, r->value_len)) sim_json_raw(b, ",\"tombstone\":true");
    sim_json_raw(b, "}");
}

static void put_records(sim_control *k, sim_node *n, const sim_name *name)
{
    wm_buffer *b = &k->answer;
    const sim_map *map = sim_store_find_map(&n->store, name);
    sim_json_raw(b, "{");
    for (const sim_record *r = map != NULL ? map->first : NULL; r != NULL; r = r->next) {
        if (r != map->first) sim_json_raw(b, ",");
        sim_json_string(b, r->key, r->key_len);
        sim_json_raw(b, ":");
        put_record(b, r);
    }
    sim_json_raw(b, "}");
}

static void put_count(sim_control *k, sim_node *n, const sim_name *name)
{
    const sim_map *map = sim_store_find_map(&n->store, name);
    sim_json_printf(&k->answer, "%u", map != NULL ? map->live : 0);
}

static void put_stats(sim_control *k, sim_node *n, const sim_name *name)
{
    (void)name;
    sim_stats_json(&n->stats, n->open, &k->answer);
}

bool sim_control_dump(sim_control *k, int argc, char **argv)
{
    const sim_node *only = NULL;
    if (argc > 1 && (only = sim_control_node(k, argv[1])) == NULL) return false;
    each_node(k, only, map_name(k, argv[0]), put_records);
    return true;
}

bool sim_control_counts(sim_control *k, int argc, char **argv)
{
    (void)argc;
    each_node(k, NULL, map_name(k, argv[0]), put_count);
    return true;
}

bool sim_control_stats(sim_control *k, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    each_node(k, NULL, NULL, put_stats);
    return true;
}

static void put_connection(wm_buffer *b, const sim_session *s)
{
    const char *comma = "";
    sim_json_printf(b, "{\"number\":%llu,\"carried\":{", (unsigned long long)s->number);
    for (int type = WM_TYPE_OTHER + 1; type < WM_MESSAGE_TYPE_COUNT; type++) {
        const char *name = wm_message_type_name((wm_message_type)type);
        if (s->carried[type] == 0) continue;
        sim_json_printf(b, "%s\"%s\":%u", comma, name, s->carried[type]);
        comma = ",";
    }
    sim_json_raw(b, "}}");
}

bool sim_control_connections(sim_control *k, int argc, char **argv)
{
    (void)argc;
    const sim_node *n = sim_control_node(k, argv[0]);
    if (n == NULL) return false;
    sim_json_raw(&k->answer, ",\"connections\":[");
    for (const sim_session *s = n->sessions; s != NULL; s = s->next) {
        put_connection(&k->answer, s);
        if (s->next != NULL) sim_json_raw(&k->answer, ",");
    }
    sim_json_raw(&k->answer, "]");
    return true;
}

bool sim_control_received(sim_control *k, int argc, char **argv)
{
    (void)argc;
    const sim_node *n = sim_control_node(k, argv[0]);
    if (n == NULL) return false;
    sim_json_raw(&k->answer, ",");
    sim_stats_received_json(&n->stats, &k->answer);
    return true;
}

bool sim_control_arrivals(sim_control *k, int argc, char **argv)
{
    (void)argc;
    const sim_node *n = sim_control_node(k, argv[0]);
    if (n == NULL) return false;
    sim_json_raw(&k->answer, ",");
    sim_stats_arrivals_json(&n->stats, &k->answer);
    return true;
}

bool sim_control_reset_stats(sim_control *k, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (uint32_t i = 0; i < k->cluster->node_count; i++) sim_stats_reset(&k->cluster->nodes[i]->stats);
    return true;
}

bool sim_control_nodes(sim_control *k, int argc, char **argv)
{
    wm_buffer *b = &k->answer;
    (void)argc;
    (void)argv;
    sim_json_raw(b, ",\"nodes\":[");
    for (uint32_t i = 0; i < k->cluster->node_count; i++) {
        const sim_node *n = k->cluster->nodes[i];
        sim_json_printf(b,
                        "%s{\"id\":\"%s\",\"url\":\"ws://127.0.0.1:%d\",\"running\":%s,\"paused\":%s,\"member\":%s,"
                        "\"map_version\":%llu}",
                        i > 0 ? "," : "", n->id, n->port, n->running ? "true" : "false", n->paused ? "true" : "false",
                        n->member ? "true" : "false", (unsigned long long)n->map_version);
    }
    sim_json_raw(b, "]");
    return true;
}
