#include "oplog/file/log_beginning.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

const char wm_log_magic[] = "wingman log file";

ssize_t wm_log_read_at(int fd, void *bytes, size_t len, uint64_t at, wm_log_error *e)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, (uint8_t *)bytes + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            wm_log_fail_io(e, errno);
            return -1;
        }
        if (n == 0) break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

bool wm_log_beginning_read(wm_log_beginning *b, int fd, wm_log_error *e)
{
    memset(b->bytes, 0, sizeof b->bytes);
    ssize_t n = wm_log_read_at(fd, b->bytes, sizeof b->bytes, 0, e);
    b->len = n > 0 ? (size_t)n : 0;
    return n >= 0;
}

static bool is_lmdb(const wm_log_beginning *b)
{
    uint32_t mark;
    memcpy(&mark, b->bytes + 16, sizeof mark);
    return mark == 0xBEEFC0DE;
}

static wm_log_slot slot_at(const wm_log_beginning *b, size_t i)
{
    wm_log_slot slot;
    memcpy(&slot, b->bytes + WM_LOG_SLOT_AT * (i + 1), sizeof slot);
    return slot;
}

/* Whether the file is empty or zeros: a log is never written without its beginning, so it was cut, or the
 * file system lost its content. */
static bool is_blank(const wm_log_beginning *b)
{
    if (b->len > WM_LOG_FRAMES_AT) return false;
    for (size_t i = 0; i < b->len; i++)
        if (b->bytes[i] != 0) return false;
    return true;
}

/* Whether a file with a damaged head was a log. */
static bool was_log(const wm_log_beginning *b, const wm_log_head *head)
{
    wm_log_slot slots[2] = {slot_at(b, 0), slot_at(b, 1)};
    wm_log_frame frame;
    memcpy(&frame, b->bytes + WM_LOG_FRAMES_AT, sizeof frame);
    return memcmp(head->magic, wm_log_magic, sizeof head->magic) == 0 || wm_log_slot_is_whole(&slots[0]) ||
           wm_log_slot_is_whole(&slots[1]) || frame.mark == WM_LOG_FRAME_MARK;
}

bool wm_log_beginning_check_head(const wm_log_beginning *b, const char *kind, wm_log_error *e)
{
    wm_log_head head;
    memcpy(&head, b->bytes, sizeof head);
    if (is_blank(b)) return wm_log_fail(e, WM_LOG_DAMAGED, b->len == 0 ? "it is empty" : "it has nothing but zeros");
    if (is_lmdb(b))
        return wm_log_fail(e, WM_LOG_OLD_FORMAT, "its format is 1, that of the first Wingman (LMDB), which this one does not "
                                                 "read: let a Wingman of commit a82922c send what is in it, then remove the file");
    if (!wm_log_head_is_whole(&head) || memcmp(head.magic, wm_log_magic, sizeof head.magic) != 0)
        return was_log(b, &head) ? wm_log_fail(e, WM_LOG_DAMAGED, "its head is damaged")
                                 : wm_log_fail(e, WM_LOG_NOT_A_LOG, "it is no %s", kind);
    if (b->len < WM_LOG_FRAMES_AT) return wm_log_fail(e, WM_LOG_DAMAGED, "its beginning is cut off");
    if (head.format > WM_LOG_FORMAT)
        return wm_log_fail(e, WM_LOG_NEW_FORMAT, "its format is %u, and this version of Wingman reads %u", head.format,
                           WM_LOG_FORMAT);
    if (strncmp(head.kind, kind, sizeof head.kind) != 0)
        return wm_log_fail(e, WM_LOG_NOT_A_LOG, "it is a log of another kind: '%.15s'", head.kind);
    return true;
}

bool wm_log_beginning_last_commit(const wm_log_beginning *b, wm_log_slot *slot, wm_log_error *e)
{
    wm_log_slot slots[2] = {slot_at(b, 0), slot_at(b, 1)};
    for (size_t i = 0; i < 2; i++)
        if (!wm_log_slot_is_whole(&slots[i]) || slots[i].commit % 2 != i)
            return wm_log_fail(e, WM_LOG_DAMAGED, "the mark of its last commit is damaged");
    *slot = slots[slots[1].commit > slots[0].commit];
    return (slots[0].id == slots[1].id && slots[0].commit + slots[1].commit == 2 * slot->commit - 1) ||
           wm_log_fail(e, WM_LOG_DAMAGED, "the marks of its last two commits are not of one file");
}
