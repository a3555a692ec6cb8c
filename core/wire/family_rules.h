#ifndef WM_FAMILY_RULES_H
#define WM_FAMILY_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes that servers of a family acknowledge but do not store, or store so that nobody can read them. Pure
 * functions. */

/* Whether a v2 server with disk storage stores writes of a map of this name. Those of a name outside
 * [A-Za-z_][A-Za-z0-9_]* are acknowledged and discarded, and can hang the whole server. Names that begin
 * with _topgun_ or __topgun_, or end with __backup, are the server's own. */
bool wm_v2_stores_map(const char *name, size_t len);

/* A v2 server closes a connection instead of sending a WebSocket frame of more than 512 KiB on it. */
#define WM_V2_FRAME_MAX (512u * 1024u)
/* An upper bound of what the largest answer about one record (SYNC_RESP_LEAF) has besides map name, key
 * and value, in bytes. 135 were seen; the rest is for longer parts: the frame's header (10), the node's
 * id (6 to 36), the path (3 to 16), the counter (up to 5), and the headers of name and key. */
#define WM_V2_AROUND_RECORD 256u
/* The largest record, in bytes of key and value (MessagePack), that a map with a name of this length
 * may have. */
static inline size_t wm_v2_record_max(size_t map_name_len)
{
    return WM_V2_FRAME_MAX - WM_V2_AROUND_RECORD - map_name_len;
}

/* Replaces 64-bit integers within 2^53 by float64, in place, for a 0.11 cluster. Its nodes exchange
 * records as JSON from JavaScript, where a 64-bit integer throws, and then backups of other clients'
 * records get lost. False at the first integer beyond 2^53: `path` is its place, such as "items[3].id",
 * cut to `size`. */
bool wm_js_integers(uint8_t *value, size_t len, char *path, size_t size);
#endif
