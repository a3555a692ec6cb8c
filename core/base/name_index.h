#ifndef WM_NAME_INDEX_H
#define WM_NAME_INDEX_H
#include <stdbool.h>
#include <stdint.h>

/* Where things of a growing list are found by what they are called: their places in the
 * list, by a hash of the name. The names stay with the things, which the caller compares.
 * Nothing is ever taken out. Zeroed it is empty. */
typedef struct wm_name_index {
    struct wm_name_slot *slots;
    uint32_t room; /* slots: a power of two, or 0 */
    uint32_t count;
} wm_name_index;

#define WM_NO_NAME UINT32_MAX

void wm_name_index_close(wm_name_index *x);
/* The place for which is(list, place, name) is true, among those added with this hash;
 * WM_NO_NAME when there is none. */
uint32_t wm_name_index_find(const wm_name_index *x, uint32_t hash,
                            bool (*is)(const void *list, uint32_t place, const void *name), const void *list,
                            const void *name);
/* False when out of memory; nothing was added then. */
bool wm_name_index_add(wm_name_index *x, uint32_t hash, uint32_t place);
#endif
