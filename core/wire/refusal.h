#ifndef WM_REFUSAL_H
#define WM_REFUSAL_H
#include <stddef.h>
#include <stdint.h>

/* What a server's ERROR says about the batches that it may be an answer to: the one table of
 * the words that servers use. It decides what becomes of writes, so what is not in it is
 * taken for nothing. */

typedef enum wm_refusal_kind {
    WM_REFUSAL_UNKNOWN, /* of the operations or of the server: to be found out */
    WM_REFUSAL_BUSY,    /* of the server: the same again, later */
    WM_REFUSAL_OTHER,   /* of another request: no server refuses an OP_BATCH so */
    WM_REFUSAL_MAP,     /* of every write of the named map, for good */
    WM_REFUSAL_IN_MAP,  /* of a write of the named map, for good; it does not say which */
    WM_REFUSAL_WRITE,   /* of a write, for good; it does not say which */
} wm_refusal_kind;

typedef struct wm_refusal {
    wm_refusal_kind kind;
    const char *map; /* in the words; NULL when they name none */
    size_t map_len;
} wm_refusal;

/* `code`: of the ERROR, 0 when it has none. */
wm_refusal wm_refusal_of(uint64_t code, const char *words, size_t len);
#endif
