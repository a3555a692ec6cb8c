#ifndef WM_SKIM_H
#define WM_SKIM_H
#include "wire/message.h"

/* Reads a MessagePack message that is too large to be kept, piece by piece. It finds the type and the names
 * in the payload, so that a request that waits for the message can fail, and passes on the data of an
 * envelope. It checks the structure as wm_message_parse does, except that a length that exceeds the
 * message is detected only at the message's end. Memory, and time per byte, are bounded for any size. */
typedef struct wm_skim wm_skim;

/* The longest name, and the longest type, that are found, in bytes; longer ones count as absent. */
#define WM_SKIM_NAME_MAX 256

/* Takes bytes of the data of a BATCH. A result < 0 ends the reading. */
typedef int (*wm_skim_data)(void *user, const uint8_t *bytes, size_t len);

/* NULL when out of memory. */
wm_skim *wm_skim_new(wm_skim_data data, void *user);
void wm_skim_free(wm_skim *s);
/* Reads from *at, which moves, to `end`. Without `wants_data` it stops in front of the data of an
 * envelope. Returns 0, a code < 0 of wm_message_parse, or the result < 0 of `data`. */
int wm_skim_on(wm_skim *s, const uint8_t **at, const uint8_t *end, bool wants_data);
/* Ends the reading after the last piece. Returns 0 or a code < 0 of wm_message_parse. Sets type and names
 * in `out`, which point into the skim; body and payload are NULL. */
int wm_skim_end(const wm_skim *s, wm_message *out);
#endif
