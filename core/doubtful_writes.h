#ifndef WM_DOUBTFUL_WRITES_H
#define WM_DOUBTFUL_WRITES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The writes that were in flight to a v2 server when their connection ended. Such a
 * server may still read them much later (after SIGCONT, say) and stamps them with
 * that time, so that a write which has long been sent again and overwritten elsewhere
 * looks like the newest of its key. Remembered are hashes of map, key and value of the
 * last WM_DOUBTFUL_WRITES_MAX, which is all that is needed to recognise one. */
typedef struct wm_doubtful_writes wm_doubtful_writes;

#define WM_DOUBTFUL_WRITES_MAX 65536u

/* NULL when out of memory. */
wm_doubtful_writes *wm_doubtful_writes_new(void);
void wm_doubtful_writes_free(wm_doubtful_writes *d);
/* Remembers a write; the oldest is forgotten when there are too many. The value is
 * MessagePack. */
void wm_doubtful_writes_add(wm_doubtful_writes *d, const char *map, size_t map_len, const char *key, size_t key_len,
                            const uint8_t *value, size_t value_len);
/* Whether this is one of them. */
bool wm_doubtful_writes_has(const wm_doubtful_writes *d, const char *map, size_t map_len, const char *key,
                            size_t key_len, const uint8_t *value, size_t value_len);
#endif
