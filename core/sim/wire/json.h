#ifndef SIM_JSON_H
#define SIM_JSON_H
#include "base/buffer.h"

/* JSON: to and from MessagePack, for the 0.11 family, which takes JSON frames and sends some; and
 * as text, for answers of the control channel. */

/* Reads one JSON value, with blanks around it or not, and appends it as MessagePack in
 * SIM_FAMILY_0_11. False when it is not JSON; `out` holds a part of it then. */
bool sim_json_to_msgpack(const char *text, size_t len, wm_buffer *out);
/* Appends one MessagePack value as JSON, as JavaScript would print it: binary as
 * {"type":"Buffer","data":[..]}, NaN as null, undefined fields left out. The
 * input must be well-formed. */
void sim_json_from_msgpack(const uint8_t *bytes, size_t len, wm_buffer *out);

/* Appends text without quoting it. */
void sim_json_raw(wm_buffer *b, const char *text);
/* The same, formatted as by printf; cut after 511 bytes. */
void sim_json_printf(wm_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends a quoted and escaped string. */
void sim_json_string(wm_buffer *b, const char *text, size_t len);
/* Appends bytes as a quoted hexadecimal string. */
void sim_json_hex(wm_buffer *b, const uint8_t *bytes, size_t len);
#endif
