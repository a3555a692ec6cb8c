#ifndef SIM_JSON_H
#define SIM_JSON_H
#include "base/buffer.h"

/* JSON to and from MessagePack in the encoding of the 0.11 family, which takes JSON
 * frames and sends some; also the text of control answers. */

/* Reads one JSON value (blanks around it are allowed) and appends it as
 * MessagePack in SIM_FAMILY_0_11. False when it is not JSON; `out` is unusable
 * then. */
bool sim_json_to_msgpack(const char *text, size_t len, wm_buffer *out);
/* Appends one MessagePack value as JSON, as JavaScript would print it: binary as
 * {"type":"Buffer","data":[..]}, NaN as null, undefined fields left out. The
 * input must be well-formed. */
void sim_json_from_msgpack(const uint8_t *bytes, size_t len, wm_buffer *out);

/* Appends text as it is, or printed. */
void sim_json_raw(wm_buffer *b, const char *text);
void sim_json_printf(wm_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends a quoted and escaped string. */
void sim_json_string(wm_buffer *b, const char *text, size_t len);
/* Appends bytes as a quoted hexadecimal string. */
void sim_json_hex(wm_buffer *b, const uint8_t *bytes, size_t len);
#endif
