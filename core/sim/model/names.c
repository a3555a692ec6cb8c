#include "sim/model/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sim/wire/alloc.h"

#define FIRST_SLOTS 64

void sim_names_close(sim_names *n)
{
    for (uint32_t i = 0; i < n->slot_count; i++) free(n->slots[i]);
    free(n->slots);
    *n = (sim_names){0};
}

static sim_name **slot_of(const sim_names *n, uint32_t hash, const char *text, size_t len)
{
    uint32_t mask = n->slot_count - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        sim_name *name = n->slots[i];
        if (name == NULL || (name->hash == hash && name->len == len && memcmp(name->text, text, len) == 0))
            return &n->slots[i];
    }
}

static void grow(sim_names *n)
{
    sim_names bigger = {.slot_count = n->slot_count ? n->slot_count * 2 : FIRST_SLOTS, .used = n->used};
    bigger.slots = sim_alloc(bigger.slot_count * sizeof *bigger.slots);
    for (uint32_t i = 0; i < n->slot_count; i++) {
        sim_name *name = n->slots[i];
        if (name != NULL) *slot_of(&bigger, name->hash, name->text, name->len) = name;
    }
    free(n->slots);
    *n = bigger;
}

const sim_name *sim_names_get(sim_names *n, const char *text, size_t len)
{
    if (n->last != NULL && n->last->len == len && memcmp(n->last->text, text, len) == 0) return n->last;
    if (n->used * 2 >= n->slot_count) grow(n);
    uint32_t hash = wm_hash_xxh64(text, len);
    sim_name **slot = slot_of(n, hash, text, len);
    if (*slot == NULL) {
        sim_name *name = sim_alloc(sizeof *name + len + 1);
        name->hash = hash;
        name->len = (uint32_t)len;
        memcpy(name->text, text, len);
        *slot = name;
        n->used++;
    }
    return n->last = *slot;
}
