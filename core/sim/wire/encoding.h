#ifndef SIM_ENCODING_H
#define SIM_ENCODING_H
#include "base/buffer.h"

/* The server families, each with its encoding of MessagePack. The client's writer (msgpack.h) has a
 * third one, which both can read. */
typedef enum sim_family {
    SIM_FAMILY_V2,   /* values in their shortest encoding, but sim_put_uint writes uint64; no extensions */
    SIM_FAMILY_0_11, /* maps are always map16; numbers beyond 32 bits are float64;
                    * undefined is an extension */
} sim_family;

/* Appends the header of a map; the caller appends its `count` pairs. */
void sim_put_map(wm_buffer *b, sim_family family, uint32_t count);
/* Appends a number that a server made: a time, a version, a hash. */
void sim_put_uint(wm_buffer *b, sim_family family, uint64_t v);
/* Appends JavaScript's undefined. For SIM_FAMILY_0_11 only. */
void sim_put_undefined(wm_buffer *b);
/* Appends a C string. */
void sim_put_text(wm_buffer *b, const char *text);

#define SIM_RECODE_EMALFORMED (-1) /* not one MessagePack value, or one that this family cannot read */
/* Reads exactly one MessagePack value, and appends it in this family's encoding, as if the family
 * had decoded and encoded it. 0.11 keeps 64-bit integers (BigInts there), replaces bad UTF-8 by
 * U+FFFD, and refuses unknown extensions; v2 refuses all extensions and bad UTF-8. 0 or
 * SIM_RECODE_EMALFORMED. */
int sim_recode(sim_family family, const uint8_t *bytes, size_t len, wm_buffer *out);
#endif
