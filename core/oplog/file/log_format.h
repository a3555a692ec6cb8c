#ifndef WM_LOG_FORMAT_H
#define WM_LOG_FORMAT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of a log file (log_file.h), in the order of this machine's bytes.
 *
 *      0  head    what the file is
 *    512  slot    where the frames of the last commit begin and end; commits use the two slots
 *   1024  slot    in turns, so that there is a whole one while the other is written
 *   4096  frames  each is a header and a payload, filled up to a multiple of 8 bytes
 *
 * Only frames within the bounds of the newest slot count. Every part has a checksum. A frame has the checksum of the
 * frame before it, and a slot that of the last frame; so missing, repeated and misplaced frames are
 * detected, and a file that was cut. Every part has the file's random id, so bytes inside a value that look
 * like a frame are not taken for one. */

#define WM_LOG_FORMAT 2u /* 1 was LMDB's */
#define WM_LOG_SLOT_AT 512u
#define WM_LOG_FRAMES_AT 4096u
#define WM_LOG_FRAME_MARK 0x4d524657u /* "WFRM" */

typedef struct wm_log_head {
    uint64_t check;
    char magic[16]; /* "wingman log file" */
    char kind[16];
    uint64_t id;
    uint32_t format;
    uint32_t zero;
} wm_log_head;

typedef struct wm_log_slot {
    uint64_t check;
    uint64_t id;
    uint64_t commit; /* from 0; the commit's slot is commit % 2 */
    uint64_t start;  /* where the frames begin, and where they end */
    uint64_t end;
    uint64_t first;     /* the number of the first of them */
    uint64_t next;      /* the number of the next frame */
    uint64_t before;    /* the `before` of the first of them */
    uint64_t last;      /* the checksum of the last of them, or `before` when there is none */
    uint64_t counts[2]; /* wm_log_file_commit */
} wm_log_slot;

typedef struct wm_log_frame {
    uint64_t check;
    uint32_t mark;
    uint32_t len; /* of the payload */
    uint64_t id;
    uint64_t first;  /* the number of the first frame that counts together with it */
    uint64_t number; /* from 0 */
    uint64_t before; /* the checksum of the frame before it; in the first frame of the file its id */
} wm_log_frame;

/* Bytes of a frame in the file. */
static inline uint64_t wm_log_frame_size(uint32_t payload)
{
    return (sizeof(wm_log_frame) + (uint64_t)payload + 7) & ~(uint64_t)7;
}

/* Set the checksum. The payload must follow the frame's header directly. */
void wm_log_seal_head(wm_log_head *head);
void wm_log_seal_slot(wm_log_slot *slot);
void wm_log_seal_frame(wm_log_frame *frame);
/* Whether the checksum matches. */
bool wm_log_head_is_whole(const wm_log_head *head);
bool wm_log_slot_is_whole(const wm_log_slot *slot);
bool wm_log_frame_is_whole(const wm_log_frame *frame);
#endif
