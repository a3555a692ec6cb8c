#ifndef WM_OP_TEMPLATE_H
#define WM_OP_TEMPLATE_H
#include "base/name_index.h"
#include "wire/op_encoding.h"

/* The forms of a log's operations: two for each map, puts and removals, and for each client
 * id that its file knows. */
typedef struct wm_op_forms {
    wm_op_form *all;
    uint32_t count;
    uint32_t cap;
    wm_name_index index; /* by the names of their maps */
} wm_op_forms;

#define WM_NO_FORM UINT32_MAX

void wm_op_forms_close(wm_op_forms *forms);
/* The index of the form in `all`, made when there is none; WM_NO_FORM when out of memory. */
uint32_t wm_op_forms_get(wm_op_forms *forms, bool remove, const char *map_name, size_t map_len, const char *node_id,
                         size_t node_len);
#endif
