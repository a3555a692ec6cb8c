#include "oplog/file/log_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oplog/file/log_beginning.h"

/* Bytes that are searched at a time for the next frame. */
#define WINDOW 65536u
/* Frames begin at multiples of this. */
#define FRAME_ALIGN 8u

typedef struct found_frame {
    uint64_t at, first, number;
} found_frame;

struct wm_log_scan {
    int fd;
    wm_log_findings findings;
    bool knows_id;
    uint64_t id;
    wm_log_slot slot; /* of the last commit, when that is known */
    found_frame *frames;
    size_t count, cap;
    uint64_t end; /* where the last frame ended */
    wm_buffer buffer;
};

__attribute__((format(printf, 2, 3))) static void damaged(wm_log_scan *s, const char *format, ...)
{
    va_list arguments;
    if (s->findings.is_damaged) return;
    s->findings.is_damaged = true;
    va_start(arguments, format);
    vsnprintf(s->findings.damage, sizeof s->findings.damage, format, arguments);
    va_end(arguments);
}

/* -- frames -------------------------------------------------------------------------------- */

/* Whether there is a whole frame at `at`: then the buffer has it. */
static bool read_frame(wm_log_scan *s, uint64_t at, bool *whole, wm_log_error *e)
{
    wm_log_frame frame;
    *whole = false;
    ssize_t n = wm_log_read_at(s->fd, &frame, sizeof frame, at, e);
    if (n < 0) return false;
    if ((size_t)n < sizeof frame || frame.mark != WM_LOG_FRAME_MARK || (s->knows_id && frame.id != s->id)) return true;
    size_t size = sizeof frame + frame.len;
    if (size > s->findings.bytes - at) return true;
    wm_buffer_clear(&s->buffer);
    if (wm_buffer_reserve(&s->buffer, size) == NULL) return wm_log_fail_io(e, ENOMEM);
    n = wm_log_read_at(s->fd, s->buffer.data, size, at, e);
    if (n < 0) return false;
    s->buffer.len = size;
    const wm_log_frame *read = (const wm_log_frame *)(const void *)s->buffer.data;
    *whole = (size_t)n == size && memcmp(read, &frame, sizeof frame) == 0 && wm_log_frame_is_whole(read);
    return true;
}

/* The next place from `at` on that has the mark of a frame; `end` when there is none. */
static bool find_mark(wm_log_scan *s, uint64_t at, uint64_t end, uint64_t *found, wm_log_error *e)
{
    uint8_t window[WINDOW];
    const size_t mark_at = offsetof(wm_log_frame, mark), need = mark_at + sizeof(uint32_t);
    for (; at < end; at += WINDOW - FRAME_ALIGN * 2) {
        ssize_t n = wm_log_read_at(s->fd, window, sizeof window, at, e);
        if (n < 0) return false;
        for (size_t i = 0; i + need <= (size_t)n && at + i < end; i += FRAME_ALIGN) {
            uint32_t mark;
            memcpy(&mark, window + i + mark_at, sizeof mark);
            if (mark != WM_LOG_FRAME_MARK) continue;
            *found = at + i;
            return true;
        }
    }
    *found = end;
    return true;
}

static bool keep_frame(wm_log_scan *s, uint64_t at)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 256;
        found_frame *grown = realloc(s->frames, cap * sizeof *grown);
        if (grown == NULL) return false;
        s->frames = grown;
        s->cap = cap;
    }
    const wm_log_frame *frame = (const wm_log_frame *)(const void *)s->buffer.data;
    s->frames[s->count++] = (found_frame){at, frame->first, frame->number};
    s->id = frame->id; /* the same, if it was known */
    s->knows_id = true;
    s->end = at + wm_log_frame_size(frame->len);
    return true;
}

static bool find_frames(wm_log_scan *s, uint64_t at, uint64_t end, wm_log_error *e)
{
    bool whole;
    while (at < end) {
        if (!read_frame(s, at, &whole, e)) return false;
        if (whole && !keep_frame(s, at)) return wm_log_fail_io(e, ENOMEM);
        if (whole) {
            at = s->end;
            continue;
        }
        if (s->findings.knows_last_commit) damaged(s, "from byte %llu on", (unsigned long long)at);
        if (!find_mark(s, at + FRAME_ALIGN, end, &at, e)) return false;
    }
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const found_frame *)a)->number, y = ((const found_frame *)b)->number;
    return x < y ? -1 : x > y;
}

/* Leaves out frames that were found twice, as those of a page that is at a second place. */
static void leave_out_copies(wm_log_scan *s)
{
    size_t kept = 0;
    if (s->count > 0) qsort(s->frames, s->count, sizeof *s->frames, by_number);
    for (size_t i = 0; i < s->count; i++)
        if (kept == 0 || s->frames[kept - 1].number != s->frames[i].number) s->frames[kept++] = s->frames[i];
    s->count = kept;
}

/* Leaves out frames from before the last restart, and those behind the last commit. If the last commit is
 * not known, the last restart is found by the frames. */
static void leave_out_old(wm_log_scan *s)
{
    uint64_t first = s->slot.first;
    if (!s->findings.knows_last_commit)
        for (size_t i = 0; i < s->count; i++)
            if (s->frames[i].first > first) first = s->frames[i].first;
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        const found_frame *f = &s->frames[i];
        if (f->first == first && (!s->findings.knows_last_commit || f->number < s->slot.next)) s->frames[kept++] = *f;
    }
    s->count = kept;
    leave_out_copies(s);
    kept = s->count;
    uint64_t next = s->findings.knows_last_commit ? s->slot.next : (kept > 0 ? s->frames[kept - 1].number + 1 : first);
    s->findings.frames = kept;
    s->findings.missing = next - first - kept;
}

/* -- the beginning ------------------------------------------------------------------------- */

/* Finds the file's id in the head or a slot; else the first frame that is found has it. */
static void find_id(wm_log_scan *s, const wm_log_beginning *b)
{
    wm_log_head head;
    wm_log_slot slot;
    memcpy(&head, b->bytes, sizeof head);
    s->knows_id = wm_log_head_is_whole(&head);
    s->id = head.id;
    for (size_t i = 1; i <= 2 && !s->knows_id; i++) {
        memcpy(&slot, b->bytes + WM_LOG_SLOT_AT * i, sizeof slot);
        s->knows_id = wm_log_slot_is_whole(&slot);
        s->id = slot.id;
    }
}

/* Reads the first page. If it is damaged, that is reported, and its content is found by other means. */
static bool read_beginning(wm_log_scan *s, const char *kind, wm_log_error *e)
{
    wm_log_beginning b;
    if (!wm_log_beginning_read(&b, s->fd, e)) return false;
    if (!wm_log_beginning_check_head(&b, kind, e)) {
        if (e->problem != WM_LOG_DAMAGED) return false;
        damaged(s, "%s", e->text);
    }
    if (!wm_log_beginning_last_commit(&b, &s->slot, e)) {
        damaged(s, "%s", e->text);
        memset(&s->slot, 0, sizeof s->slot);
        find_id(s, &b);
        return true;
    }
    s->id = s->slot.id;
    s->knows_id = s->findings.knows_last_commit = true;
    memcpy(s->findings.counts, s->slot.counts, sizeof s->slot.counts);
    return true;
}

/* A file in use may be written to while it is read; reading it once more is enough. */
static bool look_at_commit(wm_log_scan *s, const char *kind, wm_log_error *e)
{
    if (!read_beginning(s, kind, e)) return false;
    if (!s->findings.is_damaged) return true;
    s->findings.is_damaged = false;
    return read_beginning(s, kind, e);
}

static bool look(wm_log_scan *s, const char *kind, wm_log_error *e)
{
    wm_log_findings *f = &s->findings;
    if (f->is_in_use) return look_at_commit(s, kind, e);
    if (!read_beginning(s, kind, e)) return false;
    uint64_t from = f->knows_last_commit ? s->slot.start : WM_LOG_FRAMES_AT;
    uint64_t to = f->knows_last_commit && s->slot.end < f->bytes ? s->slot.end : f->bytes;
    if (f->knows_last_commit && s->slot.end > f->bytes)
        damaged(s, "its last %llu bytes are missing", (unsigned long long)(s->slot.end - f->bytes));
    if (!find_frames(s, from, to, e)) return false;
    leave_out_old(s);
    if (f->missing > 0) damaged(s, "%llu of its parts are missing", (unsigned long long)f->missing);
    return true;
}

static bool open_file(wm_log_scan *s, const char *path, bool lock, wm_log_error *e)
{
    struct stat info;
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0 || fstat(s->fd, &info) != 0) return wm_log_fail_io(e, errno);
    if (!S_ISREG(info.st_mode)) return wm_log_fail(e, WM_LOG_NOT_A_LOG, "it is not a regular file");
    s->findings.bytes = (uint64_t)info.st_size;
    if (flock(s->fd, LOCK_EX | LOCK_NB) == 0) {
        if (!lock) flock(s->fd, LOCK_UN);
        return true;
    }
    if (errno != EWOULDBLOCK) return wm_log_fail_io(e, errno);
    s->findings.is_in_use = true;
    return !lock || wm_log_fail(e, WM_LOG_BUSY, "a client has it open");
}

wm_log_scan *wm_log_scan_open(const char *path, const char *kind, bool lock, wm_log_error *e)
{
    wm_log_scan *s = calloc(1, sizeof *s);
    if (s == NULL) {
        wm_log_fail_io(e, ENOMEM);
        return NULL;
    }
    s->fd = -1;
    wm_buffer_init(&s->buffer);
    if (open_file(s, path, lock, e) && look(s, kind, e)) return s;
    wm_log_scan_close(s);
    return NULL;
}

void wm_log_scan_close(wm_log_scan *s)
{
    if (s == NULL) return;
    if (s->fd >= 0) close(s->fd);
    wm_buffer_close(&s->buffer);
    free(s->frames);
    free(s);
}

const wm_log_findings *wm_log_scan_findings(const wm_log_scan *s)
{
    return &s->findings;
}

bool wm_log_scan_read(wm_log_scan *s, bool (*visit)(void *user, const uint8_t *payload, size_t len), void *user,
                      wm_log_error *e)
{
    bool whole;
    for (size_t i = 0; i < s->count; i++) {
        if (!read_frame(s, s->frames[i].at, &whole, e)) return false;
        if (!whole) return wm_log_fail(e, WM_LOG_IO, "it changed while it was read");
        if (!visit(user, s->buffer.data + sizeof(wm_log_frame), s->buffer.len - sizeof(wm_log_frame))) return false;
    }
    return true;
}
