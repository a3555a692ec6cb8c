#include "wire/op_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void wm_op_templates_close(wm_op_templates *templates)
{
    for (uint32_t i = 0; i < templates->count; i++) wm_op_template_close(&templates->all[i]);
    free(templates->all);
    wm_name_index_close(&templates->index);
    *templates = (wm_op_templates){0};
}

/* What a template is found by. */
typedef struct template_name {
    const char *map_name, *node_id;
    size_t map_len, node_len;
    bool remove;
} template_name;

static bool is_of(const void *templates, uint32_t place, const void *name)
{
    const wm_op_template *t = (const wm_op_template *)templates + place;
    const template_name *n = name;
    return t->remove == n->remove && t->map_name_len == n->map_len && t->node_id_len == n->node_len &&
           memcmp(t->bytes + t->map_name_at, n->map_name, n->map_len) == 0 &&
           memcmp(t->bytes + t->node_id_at, n->node_id, n->node_len) == 0;
}

static bool make_room(wm_op_templates *templates)
{
    if (templates->count < templates->cap) return true;
    uint32_t cap = templates->cap ? templates->cap * 2 : 4;
    wm_op_template *grown = realloc(templates->all, cap * sizeof *grown);
    if (grown == NULL) return false;
    templates->all = grown;
    templates->cap = cap;
    return true;
}

uint32_t wm_op_templates_get(wm_op_templates *templates, bool remove, const char *map_name, size_t map_len,
                             const char *node_id, size_t node_len)
{
    template_name name = {map_name, node_id, map_len, node_len, remove};
    uint32_t hash = wm_hash_fnv1a(map_name, map_len);
    uint32_t found = wm_name_index_find(&templates->index, hash, is_of, templates->all, &name);
    if (found != WM_NO_NAME) return found;
    if (!make_room(templates)) return WM_NO_TEMPLATE;
    wm_op_template *template = &templates->all[templates->count];
    if (!wm_op_template_init(template, remove, map_name, map_len, node_id, node_len)) return WM_NO_TEMPLATE;
    if (wm_name_index_add(&templates->index, hash, templates->count)) return templates->count++;
    wm_op_template_close(template);
    return WM_NO_TEMPLATE;
}
