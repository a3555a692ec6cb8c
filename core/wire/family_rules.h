#ifndef WM_FAMILY_RULES_H
#define WM_FAMILY_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What servers of a family acknowledge and do not store, or store so that nobody can read
 * it. Pure functions. */

/* v2, with disk storage: a name outside [A-Za-z_][A-Za-z0-9_]* is acknowledged and
 * discarded, and can hang the whole server; names that begin with _topgun_ or __topgun_ or
 * end with __backup are the server's own. */
bool wm_v2_stores_map(const char *name, size_t len);

/* v2: a WebSocket frame of more than 512 KiB closes the connection that it would go to. */
#define WM_V2_FRAME_MAX (512u * 1024u)
/* What the largest answer about one record (SYNC_RESP_LEAF) has besides the bytes of its map's
 * name, its key and its value: 135 bytes with the frame's header of 10, the id of the node
 * (6 to 36) and the path (3 to 16), a counter of up to 5, and longer headers of name and key. */
#define WM_V2_AROUND_RECORD 256u
/* Bytes of key and value (as MessagePack) that a map of this name may have in one record. */
static inline size_t wm_v2_record_max(size_t map_name_len)
{
    return WM_V2_FRAME_MAX - WM_V2_AROUND_RECORD - map_name_len;
}

/* 0.11: nodes exchange records as JSON by way of JavaScript, where an int64 or uint64 of
 * MessagePack throws, and takes the backups of other people's records away. Those within
 * 2^53 are written anew as float64, in place, the same number in as many bytes. False at
 * the first beyond: `path` says where it is, as in "items[3].id", cut to `size`. */
bool wm_js_integers(uint8_t *value, size_t len, char *path, size_t size);
#endif
