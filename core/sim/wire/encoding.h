#ifndef SIM_ENCODING_H
#define SIM_ENCODING_H
#include "base/buffer.h"

/* The server families, each with its encoding of MessagePack. The client's writer (msgpack.h) has a
 * third one, which both can read. */
typedef enum sim_family {
    SIM_FAMILY_V2,   /* smallest forms; times are uint64; no extensions */
    SIM_FAMILY_0_11, /* maps are always map16; numbers beyond 32 bits are float64;
                    * undefined is an extension */
} sim_family;

/* The header of a map; `count` pairs follow. */
void sim_put_map(wm_buffer *b, sim_family family, uint32_t count);
/* A number that a server made: a time, a version, a hash. */
void sim_put_uint(wm_buffer *b, sim_family family, uint64_t v);
/* JavaScript's undefined. For SIM_FAMILY_0_11 only. */
void sim_put_undefined(wm_buffer *b);
/* A key or a text that is a C string. */
void sim_put_text(wm_buffer *b, const char *text);

#define SIM_RECODE_EMALFORMED (-1) /* not one MessagePack value, or one that this family cannot read */
/* Reads one whole value and writes it as this family would write it again, so
 * that all later code works on one encoding. SIM_FAMILY_0_11: 64-bit integers stay
 * (they are BigInts there), bad UTF-8 becomes U+FFFD, unknown extensions are
 * refused. SIM_FAMILY_V2: any extension and bad UTF-8 are refused. 0 or
 * SIM_RECODE_EMALFORMED. */
int sim_recode(sim_family family, const uint8_t *bytes, size_t len, wm_buffer *out);
#endif
