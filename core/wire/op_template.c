#include "wire/op_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void wm_op_forms_close(wm_op_forms *forms)
{
    for (uint32_t i = 0; i < forms->count; i++) wm_op_form_close(&forms->all[i]);
    free(forms->all);
    wm_name_index_close(&forms->index);
    *forms = (wm_op_forms){0};
}

/* What a form is found by. */
typedef struct form_name {
    const char *map_name, *node_id;
    size_t map_len, node_len;
    bool remove;
} form_name;

static bool is_of(const void *forms, uint32_t place, const void *name)
{
    const wm_op_form *f = (const wm_op_form *)forms + place;
    const form_name *n = name;
    return f->remove == n->remove && f->map_name_len == n->map_len && f->node_id_len == n->node_len &&
           memcmp(f->bytes + f->map_name_at, n->map_name, n->map_len) == 0 &&
           memcmp(f->bytes + f->node_id_at, n->node_id, n->node_len) == 0;
}

static bool make_room(wm_op_forms *forms)
{
    if (forms->count < forms->cap) return true;
    uint32_t cap = forms->cap ? forms->cap * 2 : 4;
    wm_op_form *grown = realloc(forms->all, cap * sizeof *grown);
    if (grown == NULL) return false;
    forms->all = grown;
    forms->cap = cap;
    return true;
}

uint32_t wm_op_forms_get(wm_op_forms *forms, bool remove, const char *map_name, size_t map_len, const char *node_id,
                         size_t node_len)
{
    form_name name = {map_name, node_id, map_len, node_len, remove};
    uint32_t hash = wm_hash_fnv1a(map_name, map_len);
    uint32_t found = wm_name_index_find(&forms->index, hash, is_of, forms->all, &name);
    if (found != WM_NO_NAME) return found;
    if (!make_room(forms)) return WM_NO_FORM;
    wm_op_form *form = &forms->all[forms->count];
    if (!wm_op_form_init(form, remove, map_name, map_len, node_id, node_len)) return WM_NO_FORM;
    if (wm_name_index_add(&forms->index, hash, forms->count)) return forms->count++;
    wm_op_form_close(form);
    return WM_NO_FORM;
}
