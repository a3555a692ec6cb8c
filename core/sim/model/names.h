#ifndef SIM_NAMES_H
#define SIM_NAMES_H
#include <stddef.h>
#include <stdint.h>

/* A table of interned strings: map names, and ids of clients and nodes, which many records share.
 * Equal names are one pointer, which lives as long as the table. */
typedef struct sim_name {
    uint32_t hash;
    uint32_t len;
    char text[]; /* len bytes and a NUL */
} sim_name;

typedef struct sim_names {
    sim_name **slots;
    uint32_t slot_count; /* a power of two, 0 at first */
    uint32_t used;
    const sim_name *last; /* the last one looked up: the next look-up is mostly for it */
} sim_names;

void sim_names_close(sim_names *n);
/* Interns a text; the table owns the name. */
const sim_name *sim_names_get(sim_names *n, const char *text, size_t len);
#endif
