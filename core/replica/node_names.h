#ifndef WM_NODE_NAMES_H
#define WM_NODE_NAMES_H
#include "base/name_index.h"
#include <stddef.h>

/* The ids of the nodes and clients that wrote records; a record has the number of its writer's id. They
 * are kept for good. A zeroed list is empty. */
typedef struct wm_node_names {
    char **all;
    uint32_t count;
    wm_name_index index;
} wm_node_names;

void wm_node_names_close(wm_node_names *n);
/* The number of an id, which is added if it is new. False when out of memory. */
bool wm_node_names_intern(wm_node_names *n, const char *name, size_t len, uint32_t *out);
/* Gives a number another id, which must not be in the list. False when out of memory: nothing changed. */
bool wm_node_names_rename(wm_node_names *n, uint32_t number, const char *name);
#endif
