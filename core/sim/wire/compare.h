#ifndef SIM_COMPARE_H
#define SIM_COMPARE_H
#include "base/msgpack.h"

/* Fields of stored values (MessagePack), and comparing them, for queries. */

typedef enum sim_order {
    SIM_LESS,
    SIM_EQUAL,
    SIM_GREATER,
    SIM_UNORDERED,
} sim_order;

/* The scalar, or the header, at the start of well-formed MessagePack; WM_MP_ABSENT for NULL. Its
 * bytes point into the input. */
wm_mp_item sim_item_of(const uint8_t *bytes, size_t len);
/* Whether a value is a number. */
bool sim_is_number(const uint8_t *value, size_t len);
/* Whether a value is false, zero, NaN or an empty string: what JavaScript takes for false, except nil. */
bool sim_is_falsy(const uint8_t *value, size_t len);
/* Finds a member of a map, the last of several; *out points into `value`. NULL when the value is no
 * map or lacks the member. */
void sim_find_field(const uint8_t *value, size_t len, const char *name, size_t name_len, const uint8_t **out,
                    size_t *out_len);
/* Compares two values: numbers by value, two strings or two binaries byte by byte. Others are equal
 * when their bytes are, else unordered. NULL and NaN are unordered with everything. */
sim_order sim_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
#endif
