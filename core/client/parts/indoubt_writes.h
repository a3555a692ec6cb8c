#ifndef WM_INDOUBT_WRITES_H
#define WM_INDOUBT_WRITES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The writes and removals that were in flight to a v2 server when their connection ended. Such a
 * server may still read them much later (after SIGCONT, say) and stamps them with
 * that time, so that a write which has long been sent again and overwritten elsewhere
 * looks like the newest of its key. Remembered are hashes of map, key and value of the
 * last WM_INDOUBT_WRITES_MAX, which is all that is needed to recognise one. */
typedef struct wm_indoubt_writes wm_indoubt_writes;

#define WM_INDOUBT_WRITES_MAX 65536u
/* How long a map event with the same content is taken for one of them. It is bounded because another
 * client may write the same value, or remove the same key. */
#define WM_INDOUBT_WRITES_ECHO_MS 60000u

/* NULL when out of memory. */
wm_indoubt_writes *wm_indoubt_writes_new(void);
void wm_indoubt_writes_free(wm_indoubt_writes *d);
/* Remembers a write; the oldest is forgotten when there are too many. The value is
 * MessagePack, that of a removal nil. */
void wm_indoubt_writes_add(wm_indoubt_writes *d, const char *map, size_t map_len, const char *key, size_t key_len,
                           const uint8_t *value, size_t value_len, uint64_t now_ms);
/* Whether this is one of them. */
bool wm_indoubt_writes_has(const wm_indoubt_writes *d, const char *map, size_t map_len, const char *key,
                           size_t key_len, const uint8_t *value, size_t value_len);
/* The same for a map event: true once for each time the write was added, and within
 * WM_INDOUBT_WRITES_ECHO_MS of the last time. */
bool wm_indoubt_writes_arrived(wm_indoubt_writes *d, const char *map, size_t map_len, const char *key, size_t key_len,
                               const uint8_t *value, size_t value_len, uint64_t now_ms);
#endif
