#ifndef WM_SKIM_H
#define WM_SKIM_H
#include "wire/message.h"

/* Reads a MessagePack message that is too large to be kept, piece by piece. It finds the type and the names
 * in the payload, so that a request that waits for the message can fail, and passes on the data of an
 * envelope. It checks the structure as wm_message_parse does; that a length goes beyond the end of the
 * message shows only there. Memory, and time per byte, are bounded for any size. */
typedef struct wm_skim wm_skim;

/* The longest name, and the longest type, that are found, in bytes; longer ones count as absent. */
#define WM_SKIM_NAME_MAX 256

/* Takes bytes of the data of a BATCH. A result < 0 ends the reading. */
typedef int (*wm_skim_data)(void *user, const uint8_t *bytes, size_t len);

/* NULL when out of memory. */
wm_skim *wm_skim_new(wm_skim_data data, void *user);
void wm_skim_free(wm_skim *s);
/* Reads from *at, which moves, to `end`; without `wants_data` only up to the data of an envelope.
 * Returns 0, a code < 0 of wm_message_parse, or the result < 0 of `data`. */
int wm_skim_on(wm_skim *s, const uint8_t **at, const uint8_t *end, bool wants_data);
/* Ends the reading after the last piece. Returns 0 or a code < 0. `out` gets the type and the names,
 * owned by the skim; its spans are empty. */
int wm_skim_end(const wm_skim *s, wm_message *out);
#endif
