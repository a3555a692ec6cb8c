#ifndef WM_INDOUBT_WRITES_H
#define WM_INDOUBT_WRITES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In-doubt writes: writes that were in flight to a v2 server when their connection ended, or whose acknowledgement came
 * late or after their partition had moved. The server may read such a write much later (after SIGCONT, say), and stamps
 * it with that time. If the client has sent it again and overwritten it since, the old value is the newest record of its
 * key there, and the local copy shows it once it is announced. client:repair has to know that such a record is older than
 * the client's last write. Neither timestamps nor announcements say so. So hashes of map, key and value of the last
 * WM_INDOUBT_WRITES_MAX such writes are kept. */
typedef struct wm_indoubt_writes wm_indoubt_writes;

#define WM_INDOUBT_WRITES_MAX 65536u

/* NULL when out of memory. */
wm_indoubt_writes *wm_indoubt_writes_new(void);
void wm_indoubt_writes_free(wm_indoubt_writes *d);
/* Adds a write, in place of the oldest when there are too many. `value` is MessagePack. */
void wm_indoubt_writes_add(wm_indoubt_writes *d, const char *map, size_t map_len, const char *key, size_t key_len,
                           const uint8_t *value, size_t value_len);
/* Whether there is such a write. */
bool wm_indoubt_writes_has(const wm_indoubt_writes *d, const char *map, size_t map_len, const char *key,
                           size_t key_len, const uint8_t *value, size_t value_len);
#endif
