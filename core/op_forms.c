#include "op_forms.h"

#include <stdlib.h>
#include <string.h>

void wm_op_forms_close(wm_op_forms *forms)
{
    for (uint32_t i = 0; i < forms->count; i++) wm_op_form_close(&forms->all[i]);
    free(forms->all);
    *forms = (wm_op_forms){0};
}

static bool is_of(const wm_op_form *f, bool remove, const char *map_name, size_t map_len, const char *node_id,
                  size_t node_len)
{
    return f->remove == remove && f->map_name_len == map_len && f->node_id_len == node_len &&
           memcmp(f->bytes + f->map_name_at, map_name, map_len) == 0 &&
           memcmp(f->bytes + f->node_id_at, node_id, node_len) == 0;
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
    for (uint32_t n = 0; n < forms->count; n++) {
        uint32_t i = (forms->last + n) % forms->count;
        if (is_of(&forms->all[i], remove, map_name, map_len, node_id, node_len)) return forms->last = i;
    }
    if (!make_room(forms)) return WM_NO_FORM;
    if (!wm_op_form_init(&forms->all[forms->count], remove, map_name, map_len, node_id, node_len)) return WM_NO_FORM;
    return forms->last = forms->count++;
}
