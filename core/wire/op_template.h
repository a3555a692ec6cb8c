#ifndef WM_OP_TEMPLATE_H
#define WM_OP_TEMPLATE_H
#include "base/name_index.h"
#include "wire/op_encoding.h"

/* The templates of an op log: for each map and each client id in its file one for sets and one for
 * removals. */
typedef struct wm_op_templates {
    wm_op_template *all;
    uint32_t count;
    uint32_t cap;
    wm_name_index index; /* by the names of their maps */
} wm_op_templates;

#define WM_NO_TEMPLATE UINT32_MAX

void wm_op_templates_close(wm_op_templates *templates);
/* The index of the template in `all`, which is created if there is none; WM_NO_TEMPLATE when out of
 * memory. */
uint32_t wm_op_templates_get(wm_op_templates *templates, bool remove, const char *map_name, size_t map_len,
                             const char *node_id, size_t node_len);
#endif
