#ifndef WM_VALUE_HASH_H
#define WM_VALUE_HASH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hash of what a MessagePack value means, not of its bytes: servers send a value
 * back with its keys in another order and its numbers in another form. Equal values
 * have equal hashes; 1 and 1.0 are equal. False when the bytes hold no whole value. */
bool wm_value_hash(const uint8_t *bytes, size_t len, uint64_t *out);
#endif
