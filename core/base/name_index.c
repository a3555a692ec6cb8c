#include "base/name_index.h"

#include <stdlib.h>

#define FIRST_ROOM 16u

typedef struct wm_name_slot {
    uint32_t hash;
    uint32_t place; /* WM_NO_NAME: an empty slot */
} slot;

void wm_name_index_close(wm_name_index *x)
{
    free(x->slots);
    *x = (wm_name_index){0};
}

uint32_t wm_name_index_find(const wm_name_index *x, uint32_t hash,
                            bool (*is)(const void *list, uint32_t place, const void *name), const void *list,
                            const void *name)
{
    if (x->room == 0) return WM_NO_NAME;
    for (uint32_t i = hash & (x->room - 1);; i = (i + 1) & (x->room - 1)) {
        const slot *s = &x->slots[i];
        if (s->place == WM_NO_NAME) return WM_NO_NAME;
        if (s->hash == hash && is(list, s->place, name)) return s->place;
    }
}

static void put(slot *slots, uint32_t room, slot what)
{
    uint32_t i = what.hash & (room - 1);
    while (slots[i].place != WM_NO_NAME) i = (i + 1) & (room - 1);
    slots[i] = what;
}

static bool grow(wm_name_index *x)
{
    uint32_t room = x->room ? x->room * 2 : FIRST_ROOM;
    slot *slots = malloc(room * sizeof *slots);
    if (slots == NULL) return false;
    for (uint32_t i = 0; i < room; i++) slots[i].place = WM_NO_NAME;
    for (uint32_t i = 0; i < x->room; i++)
        if (x->slots[i].place != WM_NO_NAME) put(slots, room, x->slots[i]);
    free(x->slots);
    x->slots = slots;
    x->room = room;
    return true;
}

bool wm_name_index_add(wm_name_index *x, uint32_t hash, uint32_t place)
{
    if (x->count + 1 > x->room / 4 * 3 && !grow(x)) return false;
    put(x->slots, x->room, (slot){hash, place});
    x->count++;
    return true;
}
