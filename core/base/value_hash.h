#ifndef WM_VALUE_HASH_H
#define WM_VALUE_HASH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hashes a MessagePack value by its meaning, not by its bytes: servers return a value with other orders
 * of keys and other encodings of numbers. Equal values have equal hashes; 1 and 1.0 are equal. False
 * when the bytes are not a whole value. */
bool wm_value_hash(const uint8_t *bytes, size_t len, uint64_t *out);
#endif
