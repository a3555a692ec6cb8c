#ifndef WM_MERKLE_ANSWER_H
#define WM_MERKLE_ANSWER_H
#include "base/msgpack.h"
#include "wire/map_event.h"
#include "wire/message.h"

/* What a node answers about the Merkle tree of a map: its root (SYNC_RESP_ROOT), the places below a path
 * (SYNC_RESP_BUCKETS), or the records of a leaf (SYNC_RESP_LEAF). */

/* A place of the tree: `depth` hex digits, whose value is `digits`. */
typedef struct wm_merkle_place {
    uint8_t depth; /* 0: the root; 3: a leaf */
    uint16_t digits;
} wm_merkle_place;

#define WM_MERKLE_PATH_MAX 3u
/* Writes the path of a place, and returns its length. */
size_t wm_merkle_path_write(wm_merkle_place place, char out[WM_MERKLE_PATH_MAX]);
/* False for what is no path of the tree over the whole map. */
bool wm_merkle_path_read(const char *path, size_t len, wm_merkle_place *out);

typedef struct wm_merkle_answer {
    wm_message_type type; /* one of the three above */
    wm_merkle_place place;
    uint32_t root;
    uint32_t below[16];   /* hashes of the places below by their next digit; 0: nothing is there */
    wm_mp_reader records; /* those of a leaf that were not read yet */
    uint32_t record_count;
} wm_merkle_answer;

/* Reads an answer whole: what it holds is as it has to be then. False when it is not. Pointers are into the
 * message. */
bool wm_merkle_answer_read(const wm_message *m, wm_merkle_answer *out);
/* Reads the next record of a leaf: `key`, `value` and `time` are set. False at the end. */
bool wm_merkle_answer_next(wm_merkle_answer *a, wm_map_event *out);
#endif
