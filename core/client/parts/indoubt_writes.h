#ifndef WM_INDOUBT_WRITES_H
#define WM_INDOUBT_WRITES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In-doubt writes: the writes and removals that were in flight to a v2 server when their connection ended.
 * The server may read them much later (after SIGCONT, say) and stamp them with that time. Then a write
 * that has been sent again, and overwritten elsewhere, looks like the newest of its key. To recognise
 * it, hashes of map, key and value of the last WM_INDOUBT_WRITES_MAX writes are kept. */
typedef struct wm_indoubt_writes wm_indoubt_writes;

#define WM_INDOUBT_WRITES_MAX 65536u
/* How long a map event with the same content is taken for one of them. It is bounded because another
 * client may write the same value, or remove the same key. */
#define WM_INDOUBT_WRITES_ECHO_MS 60000u

/* NULL when out of memory. */
wm_indoubt_writes *wm_indoubt_writes_new(void);
void wm_indoubt_writes_free(wm_indoubt_writes *d);
/* Adds a write, in place of the oldest when there are too many. `value` is MessagePack; of a removal
 * nil. */
void wm_indoubt_writes_add(wm_indoubt_writes *d, const char *map, size_t map_len, const char *key, size_t key_len,
                           const uint8_t *value, size_t value_len, uint64_t now_ms);
/* Whether there is such a write. */
bool wm_indoubt_writes_has(const wm_indoubt_writes *d, const char *map, size_t map_len, const char *key,
                           size_t key_len, const uint8_t *value, size_t value_len);
/* The same for a map event: true once for each time the write was added, and within
 * WM_INDOUBT_WRITES_ECHO_MS of the last time. */
bool wm_indoubt_writes_arrived(wm_indoubt_writes *d, const char *map, size_t map_len, const char *key, size_t key_len,
                               const uint8_t *value, size_t value_len, uint64_t now_ms);
#endif
