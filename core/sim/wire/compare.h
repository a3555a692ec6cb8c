#ifndef SIM_COMPARE_H
#define SIM_COMPARE_H
#include "base/msgpack.h"

/* Looking into stored values and comparing them, for queries. */

typedef enum sim_order {
    SIM_LESS,
    SIM_EQUAL,
    SIM_GREATER,
    SIM_UNORDERED,
} sim_order;

/* The scalar or header at the start of well-formed MessagePack; ABSENT for NULL. */
wm_mp_item sim_item_of(const uint8_t *bytes, size_t len);
/* Finds a member of a map; *out is NULL when the value is no map or lacks it. */
void sim_find_field(const uint8_t *value, size_t len, const char *name, size_t name_len, const uint8_t **out,
                    size_t *out_len);
/* Numbers by value, texts and bytes by their bytes; other values are only equal
 * or unordered. NULL is undefined: equal to nothing. */
sim_order sim_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
#endif
