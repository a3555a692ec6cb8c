#ifndef WM_OP_ENCODING_H
#define WM_OP_ENCODING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hlc.h"

/* The bytes of an operation, as they are sent:
 *
 *   {id, key, mapName, opType, record: {timestamp: {millis, counter, nodeId}, value}}
 *
 * Most of these bytes are the same for all operations of a map. The op log keeps them once, as a template, and for
 * each operation the rest: the head (id and key), the time and the value. That takes a fraction of the
 * memory and of the processor's caches.
 *
 * An id is "<client>-<number in base 36>.<attempt>", of fixed width, so that it can be found and changed at a known
 * place. The attempt grows each time the operation returns unacknowledged: so a late acknowledgement of
 * one attempt never matches the next. */
#define WM_OP_ID_PREFIX 8                                /* characters that name the client */
#define WM_OP_ID_LEN 21                                  /* prefix '-' 9 digits '.' 2 attempt digits */
#define WM_OP_ID_AT 5                                    /* map header, "id", string header */
#define WM_OP_START_LEN (WM_OP_ID_AT + WM_OP_ID_LEN + 4) /* up to the key: the id, and "key" */
#define WM_OP_KEY_MAX 65535u
/* The time as it is kept: 8 bytes of a float64 (millis), 4 of a uint32 (counter). */
#define WM_OP_TIME_LEN 12u

/* The bytes that all sets, or all removals, of a map share: those between key and value, with two
 * places for the time. */
typedef struct wm_op_template {
    uint8_t *bytes;
    uint32_t len;
    uint32_t millis_at;
    uint32_t counter_at;
    uint32_t map_name_at;
    uint32_t map_name_len;
    uint32_t node_id_at;
    uint32_t node_id_len;
    bool remove;
} wm_op_template;

/* `node_id`: the id of this client in timestamps. False when out of memory. */
bool wm_op_template_init(wm_op_template *t, bool remove, const char *map_name, size_t map_len, const char *node_id,
                         size_t node_len);
void wm_op_template_close(wm_op_template *t);

/* The counter of a client's operations, kept as the first bytes of the next operation, up to its key. */
typedef struct wm_op_ids {
    char start[WM_OP_START_LEN];
} wm_op_ids;
/* `prefix` has WM_OP_ID_PREFIX characters. */
void wm_op_ids_init(wm_op_ids *ids, const char *prefix);
/* Advances to the next id. */
void wm_op_ids_advance(wm_op_ids *ids);

/* The offset of the key in an operation's bytes, as kept or as sent, behind its string header. */
static inline size_t wm_op_key_at(size_t key_len)
{
    return WM_OP_START_LEN + (key_len < 32 ? 1u : (key_len < 256 ? 2u : 3u));
}

/* The offset of the value in an operation's bytes as kept. */
static inline size_t wm_op_kept_head(size_t key_len)
{
    return wm_op_key_at(key_len) + key_len + WM_OP_TIME_LEN;
}

/* How many bytes longer an operation of the template is as sent than as kept. */
static inline size_t wm_op_shared_len(const wm_op_template *t)
{
    return t->len - WM_OP_TIME_LEN;
}

/* Writes the kept bytes in front of the value, wm_op_kept_head(key_len) of them. `start`: the first
 * bytes of an operation, from wm_op_ids or another operation. The value goes behind them (of a removal
 * nil, one byte c0). */
void wm_op_keep_head(uint8_t *out, const void *start, const char *key, size_t key_len, const wm_hlc *time);
/* Writes an operation as sent from its `len` kept bytes, wm_op_shared_len(t) bytes more, and returns
 * the end. */
uint8_t *wm_op_write(const wm_op_template *t, uint8_t *out, const uint8_t *kept, size_t len, size_t key_len);
/* Advances the attempt in the id, in place. */
void wm_op_next_attempt(uint8_t *op_bytes);
#endif
