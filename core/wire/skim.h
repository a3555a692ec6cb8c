#ifndef WM_SKIM_H
#define WM_SKIM_H
#include "wire/message.h"

/* Reads a MessagePack message that is not kept, from the pieces in which it comes: what
 * type it is and the names in its payload, so that whoever waits for it can be told; and
 * the data of an envelope, which is handed on. Its structure is checked as
 * wm_message_parse does, but for lengths beyond the end, which only the end shows. Memory
 * and time per byte are bounded, whatever the message's size. */
typedef struct wm_skim wm_skim;

/* Bytes of a name, and of a type, that are kept; longer ones are none. */
#define WM_SKIM_NAME_MAX 256

/* Some bytes of a BATCH's data. A code < 0 ends the reading. */
typedef int (*wm_skim_data)(void *user, const uint8_t *bytes, size_t len);

/* NULL when out of memory. */
wm_skim *wm_skim_new(wm_skim_data data, void *user);
void wm_skim_free(wm_skim *s);
/* Reads on from *at, which moves, to `end`; or only to the data of an envelope, if that is
 * not wanted yet. 0, or a code < 0 as wm_message_parse, or what `data` gave. */
int wm_skim_on(wm_skim *s, const uint8_t **at, const uint8_t *end, bool wants_data);
/* All pieces were given: 0, or a code < 0. *out has the type and the names, which are the
 * skim's; its spans are empty. */
int wm_skim_end(const wm_skim *s, wm_message *out);
#endif
