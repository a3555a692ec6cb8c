#ifndef WM_DEAD_LETTERS_H
#define WM_DEAD_LETTERS_H
#include "oplog/oplog.h"
#include "wire/op_decoding.h"

/* Dead letters: rejected operations, kept with the reason until they are sent again or dropped, in the order of
 * recording. They have limits of their own, apart from those of the op log; above these the oldest letters
 * are displaced.
 *
 * The bytes of a letter, in memory as in the op log's file:
 *   uint32 length of the operation, the operation as sent, uint8 length of the node's name, the name, the reason
 * with the first length in the machine's byte order, like all numbers in that file. */
typedef struct wm_dead_letters wm_dead_letters;

#define WM_DEAD_LETTERS_MAX 10000u
#define WM_DEAD_LETTERS_BYTES_MAX (16u * 1024u * 1024u)

/* The content of a letter; valid until a letter is added or dropped. */
typedef struct wm_dead_letter {
    uint64_t seq; /* of the operation */
    wm_op_view op;
    const char *node; /* the node that rejected it; "" when this client did */
    const char *reason;
    size_t node_len;
    size_t reason_len;
} wm_dead_letter;

/* Keeps letters elsewhere, too: in a file. */
typedef struct wm_dead_letters_hooks {
    void *user;
    bool (*put)(void *user, uint64_t seq, const uint8_t *bytes, size_t len); /* false: cannot keep it now */
    void (*dropped)(void *user, uint64_t seq);
} wm_dead_letters_hooks;

/* NULL when out of memory. */
wm_dead_letters *wm_dead_letters_new(void);
void wm_dead_letters_free(wm_dead_letters *d);
/* Calls the hooks for each letter that is added or dropped from now on. */
void wm_dead_letters_keep(wm_dead_letters *d, wm_dead_letters_hooks hooks);
/* Calls `put` again for letters for which it returned false. False when it does so again. */
bool wm_dead_letters_put_all(wm_dead_letters *d);
/* Adds a letter for an operation of the log. `node` is cut to 255 bytes, `reason` to 1 KiB. Displaced
 * letters are counted. WM_OK, or WM_ENOMEM, which counts as a displaced letter. */
int wm_dead_letters_add(wm_dead_letters *d, const wm_oplog *log, const wm_op *op, const char *node, const void *reason,
                        size_t reason_len);
/* Adds a letter from the bytes that `put` had, without calling it. WM_EINVAL when the bytes are no
 * letter; WM_ENOMEM. */
int wm_dead_letters_load(wm_dead_letters *d, uint64_t seq, const uint8_t *bytes, size_t len);
/* False when there is none of the seq. */
bool wm_dead_letters_find(const wm_dead_letters *d, uint64_t seq, wm_dead_letter *out);
/* The letter at `place`, 0 .. count-1. */
void wm_dead_letters_at(const wm_dead_letters *d, uint32_t place, wm_dead_letter *out);
/* False when there is none of the seq. */
bool wm_dead_letters_drop(wm_dead_letters *d, uint64_t seq);
uint32_t wm_dead_letters_count(const wm_dead_letters *d);
/* How many letters were displaced by newer ones, or lost for want of memory. */
uint64_t wm_dead_letters_displaced(const wm_dead_letters *d);
#endif
