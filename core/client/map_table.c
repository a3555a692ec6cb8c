/* The maps of a client by their names, and the names of nodes that wrote their records. */
#include <stdlib.h>
#include <string.h>

#include "client/state.h"

typedef struct map_name {
    const char *text;
    size_t len;
} map_name;

static bool is_called(const void *maps, uint32_t place, const void *name)
{
    const wm_map *m = ((wm_map *const *)maps)[place];
    const map_name *n = name;
    return m->name_len == n->len && memcmp(m->name, n->text, n->len) == 0;
}

wm_map *wm_client_find_map(const wm_client *c, const char *name, size_t len)
{
    map_name wanted = {name, len};
    uint32_t place = wm_name_index_find(&c->maps.names, wm_hash_fnv1a(name, len), is_called, c->maps.all, &wanted);
    return place == WM_NO_NAME ? NULL : c->maps.all[place];
}

wm_map *wm_client_map(wm_client *c, const char *name, size_t len)
{
    wm_map *known = wm_client_find_map(c, name, len);
    if (known != NULL) return known;
    wm_map **grown = realloc(c->maps.all, (c->maps.count + 1) * sizeof *grown);
    if (grown == NULL) return NULL;
    c->maps.all = grown;
    wm_map *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->client = c;
    m->name = malloc(len + 1);
    m->store = wm_record_store_new(c->log);
    m->put_template = wm_oplog_template(c->log, false, name, len, c->maps.writers.all[0]);
    m->remove_template = wm_oplog_template(c->log, true, name, len, c->maps.writers.all[0]);
    if (m->name == NULL || m->store == NULL || m->put_template == WM_NO_TEMPLATE || m->remove_template == WM_NO_TEMPLATE ||
        !wm_name_index_add(&c->maps.names, wm_hash_fnv1a(name, len), c->maps.count)) {
        free(m->name);
        wm_record_store_free(m->store);
        free(m);
        return NULL;
    }
    memcpy(m->name, name, len);
    m->name[len] = 0;
    m->name_len = len;
    wm_map_apply_rules(m);
    c->maps.all[c->maps.count++] = m;
    return m;
}

void wm_client_free_maps(wm_client *c)
{
    for (uint32_t i = 0; i < c->maps.count; i++) {
        wm_map *m = c->maps.all[i];
        wm_saved_copy_close(m->saved, NULL, (wm_node_words){0}, 0);
        free(m->name);
        wm_record_store_free(m->store);
        free(m);
    }
    free(c->maps.all);
    wm_name_index_close(&c->maps.names);
    wm_node_names_close(&c->maps.writers);
}

const char *wm_client_node_name(const wm_client *c, uint32_t node)
{
    return c->maps.writers.all[node];
}

void wm_client_catch_up(wm_client *c)
{
    for (; c->maps.lagging != NULL; c->maps.lagging = c->maps.lagging->next_lagging) {
        wm_record_store_catch_up(c->maps.lagging->store);
        c->maps.lagging->lags = false;
    }
}

bool wm_client_intern_node(wm_client *c, const char *name, size_t len, uint32_t *out)
{
    return wm_node_names_intern(&c->maps.writers, name, len, out);
}
