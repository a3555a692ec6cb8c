#ifndef WM_REFUSAL_H
#define WM_REFUSAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Classifies a server's ERROR by its code and text: whether, and why, it refuses a batch. The result
 * decides whether writes are rejected, so an unknown text without a known code is WM_REFUSAL_UNKNOWN. */

typedef enum wm_refusal_kind {
    WM_REFUSAL_UNKNOWN, /* the operations or the server may be the cause */
    WM_REFUSAL_BUSY,    /* the server is busy: send the same again, later */
    WM_REFUSAL_ROUTE,   /* the node does not own the partition, or its map is older: send it by another route */
    WM_REFUSAL_OTHER,   /* another request was refused: no server refuses an OP_BATCH so */
    WM_REFUSAL_MAP,     /* every write of the named map is refused for good */
    WM_REFUSAL_IN_MAP,  /* a write of the named map is refused for good; which one is unknown */
    WM_REFUSAL_WRITE,   /* a write is refused for good; which one is unknown */
} wm_refusal_kind;

typedef struct wm_refusal {
    wm_refusal_kind kind;
    bool is_rate;    /* WM_REFUSAL_BUSY: it came too fast for a rate limit, or for the disk; else too much at once */
    const char *map; /* points into the text; NULL when it names no map */
    size_t map_len;
} wm_refusal;

/* `code`: that of the ERROR; 0: it has none. `words`: its text. */
wm_refusal wm_refusal_of(uint64_t code, const char *words, size_t len);
#endif
