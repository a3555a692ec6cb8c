#ifndef SIM_NAMES_H
#define SIM_NAMES_H
#include <stddef.h>
#include <stdint.h>

/* Texts that many records share (ids of clients and nodes), kept once. A name
 * lives as long as the table. */
typedef struct sim_name {
    uint32_t hash;
    uint32_t len;
    char text[];
} sim_name;

typedef struct sim_names {
    sim_name **slots;
    uint32_t slot_count; /* a power of two, 0 at first */
    uint32_t used;
    const sim_name *last; /* the next look-up is mostly for the same one */
} sim_names;

void sim_names_close(sim_names *n);
/* The one name with this text. */
const sim_name *sim_names_get(sim_names *n, const char *text, size_t len);
#endif
