#ifndef WM_DEAD_LETTERS_H
#define WM_DEAD_LETTERS_H
#include "oplog/oplog.h"
#include "wire/op_decoding.h"

/* Dead letters: operations that were rejected, kept with the reason until somebody sends
 * them again or drops them. In the order of recording. They have a bound of their own, so
 * that they take no room from what can be stored; over it the oldest make way.
 *
 * A letter is one run of bytes, in memory as in the op log's file:
 *   u32 length of the operation, the operation as it is sent, u8 length of the node's name,
 *   the name, the reason
 * with the length in the machine's byte order, as everything in that file. */
typedef struct wm_dead_letters wm_dead_letters;

#define WM_DEAD_LETTERS_MAX 10000u
#define WM_DEAD_LETTERS_BYTES_MAX (16u * 1024u * 1024u)

/* What a letter says; valid until the letters change. */
typedef struct wm_dead_letter {
    uint64_t seq; /* of the operation */
    wm_op_view op;
    const char *node; /* that rejected it; "" when none was asked */
    const char *reason;
    size_t node_len;
    size_t reason_len;
} wm_dead_letter;

/* Where letters are kept beside the memory. */
typedef struct wm_dead_letters_hooks {
    void *user;
    bool (*put)(void *user, uint64_t seq, const uint8_t *bytes, size_t len); /* false: not now */
    void (*dropped)(void *user, uint64_t seq);
} wm_dead_letters_hooks;

/* NULL when out of memory. */
wm_dead_letters *wm_dead_letters_new(void);
void wm_dead_letters_free(wm_dead_letters *d);
/* From now on every letter that comes or goes is told. */
void wm_dead_letters_keep(wm_dead_letters *d, wm_dead_letters_hooks hooks);
/* Puts the letters again that the hook did not take. False when it takes one of them still not. */
bool wm_dead_letters_put_all(wm_dead_letters *d);
/* Makes an operation of the log a letter; texts are cut to 255 bytes (node) and 1 KiB
 * (reason). Letters that had to make way are counted. WM_OK, or WM_ENOMEM (counted, too). */
int wm_dead_letters_add(wm_dead_letters *d, const wm_oplog *log, const wm_op *op, const char *node, const void *reason,
                        size_t reason_len);
/* Takes a letter that was kept, without telling it. WM_EINVAL for bytes that are none. */
int wm_dead_letters_load(wm_dead_letters *d, uint64_t seq, const uint8_t *bytes, size_t len);
/* False when there is none of the seq. */
bool wm_dead_letters_find(const wm_dead_letters *d, uint64_t seq, wm_dead_letter *out);
/* The letter at a place, 0 .. count-1. */
void wm_dead_letters_at(const wm_dead_letters *d, uint32_t place, wm_dead_letter *out);
/* False when there is none of the seq. */
bool wm_dead_letters_drop(wm_dead_letters *d, uint64_t seq);
uint32_t wm_dead_letters_count(const wm_dead_letters *d);
/* Letters that are gone because the bound was reached, or memory was short. */
uint64_t wm_dead_letters_displaced(const wm_dead_letters *d);
#endif
