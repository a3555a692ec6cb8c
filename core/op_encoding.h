#ifndef WM_OP_ENCODING_H
#define WM_OP_ENCODING_H
#include "buffer.h"
#include "hlc.h"
#include "oplog.h"

/* The bytes of an operation, laid out so that everything before the value can
 * be written at once and the value is last:
 *
 *   {id, key, mapName, opType, record: {timestamp: {millis, counter, nodeId}, value}}
 *
 * Ids have a fixed width, "<client>-<number in base 36>.<attempt>", so that they
 * are found and changed at a known place. The attempt grows each time an
 * operation comes back unacknowledged: a late acknowledgement of the first
 * sending can then never match the second. */
#define WM_OP_ID_PREFIX 8   /* characters that name the client */
#define WM_OP_ID_LEN 21     /* prefix '-' 9 digits '.' 2 attempt digits */
#define WM_OP_ID_AT 5       /* map header, "id", string header */
#define WM_OP_KEY_MAX 65535u

/* What all operations of one map share, encoded once. */
typedef struct wm_op_template wm_op_template;

/* `node_id` is the client's own id in timestamps. NULL when out of memory. */
wm_op_template *wm_op_template_new(const char *map_name, size_t map_len, const char *node_id);
void wm_op_template_free(wm_op_template *t);
/* Bytes that wm_op_encode_head writes at most for a key of this length. */
size_t wm_op_head_size(const wm_op_template *t, size_t key_len);

#define WM_OP_START_LEN (WM_OP_ID_AT + WM_OP_ID_LEN + 4) /* up to the key: the id, and "key" */
/* The running number of a client's operations, kept as what the next one begins with, up to
 * its key. */
typedef struct wm_op_ids {
    char start[WM_OP_START_LEN];
} wm_op_ids;
/* `prefix` has WM_OP_ID_PREFIX characters. */
void wm_op_ids_init(wm_op_ids *ids, const char *prefix);
/* The next id was given to an operation. */
void wm_op_ids_advance(wm_op_ids *ids);

/* Writes everything before the value, with the next of the ids. The number of bytes;
 * the value follows there (for a removal nil: one byte c0). `*key_at` is the
 * offset of the key. */
size_t wm_op_encode_head(const wm_op_template *t, uint8_t *out, bool remove, const wm_op_ids *ids, const char *key,
                         size_t key_len, const wm_hlc *time, uint16_t *key_at);
/* The next attempt in the id, in place. */
void wm_op_next_attempt(uint8_t *op_bytes);
#endif
