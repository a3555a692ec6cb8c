#include "oplog/file/log_format.h"

#include <xxhash.h>

static uint64_t check_of(const void *part, size_t size, uint64_t id)
{
    return XXH3_64bits_withSeed((const uint8_t *)part + sizeof(uint64_t), size - sizeof(uint64_t), id);
}

void wm_log_seal_head(wm_log_head *head)
{
    head->check = check_of(head, sizeof *head, head->id);
}

void wm_log_seal_slot(wm_log_slot *slot)
{
    slot->check = check_of(slot, sizeof *slot, slot->id);
}

void wm_log_seal_frame(wm_log_frame *frame)
{
    frame->check = check_of(frame, sizeof *frame + frame->len, frame->id);
}

bool wm_log_head_is_whole(const wm_log_head *head)
{
    return head->check == check_of(head, sizeof *head, head->id);
}

bool wm_log_slot_is_whole(const wm_log_slot *slot)
{
    return slot->check == check_of(slot, sizeof *slot, slot->id);
}

bool wm_log_frame_is_whole(const wm_log_frame *frame)
{
    return frame->check == check_of(frame, sizeof *frame + frame->len, frame->id);
}
