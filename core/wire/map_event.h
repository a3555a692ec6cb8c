#ifndef WM_MAP_EVENT_H
#define WM_MAP_EVENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hlc.h"
#include "base/msgpack.h"

/* A map event: the payload of a SERVER_EVENT, or one event of a SERVER_BATCH_EVENT. All pointers are
 * into the bytes that were read. */
typedef struct wm_map_event {
    const char *map;
    size_t map_len;
    const char *key;
    size_t key_len;
    bool has_record;         /* `value` and `time` are set; false for REMOVE of a v2 server */
    bool is_removal;         /* eventType REMOVE */
    bool stamped_on_arrival; /* eventType PUT, as only v2 sends it: `time` is when the node received the
                              * write. 0.11 keeps the writer's time. */
    const uint8_t *value;    /* NULL: a tombstone */
    size_t value_len;
    wm_timestamp time;
} wm_map_event;

/* Reads the record that stands next, {value, timestamp}, into has_record, value and time. False when it is
 * malformed. */
bool wm_map_event_read_record(wm_mp_reader *r, wm_map_event *out);
/* Reads a map event. False when it is malformed. */
bool wm_map_event_read(const uint8_t *bytes, size_t len, wm_map_event *out);
#endif
