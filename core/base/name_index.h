#ifndef WM_NAME_INDEX_H
#define WM_NAME_INDEX_H
#include <stdbool.h>
#include <stdint.h>

/* A hash index from names to places in a list of the caller. The caller keeps the names and compares
 * them. Names cannot be removed. A zeroed index is empty. */
typedef struct wm_name_index {
    struct wm_name_slot *slots;
    uint32_t room; /* number of slots: a power of two, or 0 */
    uint32_t count;
} wm_name_index;

#define WM_NO_NAME UINT32_MAX

/* Frees the slots. */
void wm_name_index_close(wm_name_index *x);
/* The place that was added with this hash and for which is(list, place, name) is true; WM_NO_NAME when
 * there is none. */
uint32_t wm_name_index_find(const wm_name_index *x, uint32_t hash,
                            bool (*is)(const void *list, uint32_t place, const void *name), const void *list,
                            const void *name);
/* Adds a place. False when out of memory: nothing was added. */
bool wm_name_index_add(wm_name_index *x, uint32_t hash, uint32_t place);
#endif
