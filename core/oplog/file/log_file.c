#include "oplog/file/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oplog/file/log_beginning.h"

#define WRITE_BEHIND ((uint64_t)1 << 20)

struct wm_log_file {
    int fd; /* holds the file's lock */
    bool sync;
    bool is_beside; /* has not replaced the other file yet */
    bool slot_written;
    uint64_t on_its_way; /* beside another file: how far the system was asked to write it to the disk */
    char *path;          /* as the option says */
    char *real_path;     /* with links resolved */
    char kind[16];
    wm_log_slot committed;
    wm_log_slot next; /* the next commit's, with what was appended */
};

/* -- bytes --------------------------------------------------------------------------------- */

static bool write_at(const wm_log_file *f, const void *bytes, size_t len, uint64_t at, wm_log_error *e)
{
    const uint8_t *from = bytes;
    while (len > 0) {
        ssize_t n = pwrite(f->fd, from, len, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return wm_log_fail_io(e, errno);
        if (n == 0) return wm_log_fail_io(e, ENOSPC);
        from += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return true;
}

static bool reach_disk(const wm_log_file *f, wm_log_error *e)
{
    return !f->sync || fdatasync(f->fd) == 0 || wm_log_fail_io(e, errno);
}

/* A new name is on the disk once its directory is. */
static void sync_directory(const char *path)
{
    char *directory = strdup(path);
    if (directory == NULL) return;
    char *slash = strrchr(directory, '/');
    if (slash != NULL) slash[1] = 0;
    int fd = open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
    free(directory);
}

/* -- a new file ---------------------------------------------------------------------------- */

static bool write_beginning(wm_log_file *f, wm_log_error *e)
{
    uint8_t page[WM_LOG_FRAMES_AT] = {0};
    wm_log_head head = {.format = WM_LOG_FORMAT};
    if (getrandom(&head.id, sizeof head.id, 0) != (ssize_t)sizeof head.id) return wm_log_fail_io(e, errno);
    memcpy(head.magic, wm_log_magic, sizeof head.magic);
    memcpy(head.kind, f->kind, sizeof head.kind);
    wm_log_seal_head(&head);
    memcpy(page, &head, sizeof head);
    for (uint64_t commit = 0; commit < 2; commit++) {
        f->committed = (wm_log_slot){
            .id = head.id, .commit = commit, .start = WM_LOG_FRAMES_AT, .end = WM_LOG_FRAMES_AT, .before = head.id, .last = head.id};
        wm_log_seal_slot(&f->committed);
        memcpy(page + WM_LOG_SLOT_AT * (commit + 1), &f->committed, sizeof f->committed);
    }
    f->next = f->committed;
    return write_at(f, page, sizeof page, 0, e);
}

/* Renames a file, unless the new name exists: then EEXIST. */
static bool rename_to_free(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false; /* the file system supports it */
    if (link(from, to) != 0) return false;
    unlink(from);
    return true;
}

/* Writes the beginning to a temporary file and renames that to the path: so at any time there is a
 * complete file at the path, or none. `*made` is false when another process was faster. */
static bool make_file(wm_log_file *f, bool *made, wm_log_error *e)
{
    char *beside = NULL;
    *made = false;
    if (asprintf(&beside, "%s.XXXXXX", f->path) < 0) return wm_log_fail_io(e, ENOMEM);
    f->fd = mkostemp(beside, O_CLOEXEC);
    bool is_there = f->fd >= 0;
    bool ok = is_there && flock(f->fd, LOCK_EX | LOCK_NB) == 0 ? write_beginning(f, e) : wm_log_fail_io(e, errno);
    if (ok && fsync(f->fd) != 0) ok = wm_log_fail_io(e, errno);
    if (ok) {
        *made = rename_to_free(beside, f->path);
        if (!*made && errno != EEXIST) ok = wm_log_fail_io(e, errno);
    }
    if (*made && f->sync) sync_directory(f->path);
    if (is_there && !*made) {
        unlink(beside);
        close(f->fd);
        f->fd = -1;
    }
    free(beside);
    return ok;
}

/* -- opening ------------------------------------------------------------------------------- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* A lock belongs to the file, not to its path: if the file was replaced between opening and locking, it
 * is opened again. */
static bool open_locked(wm_log_file *f, int flags, struct stat *info, wm_log_error *e)
{
    struct stat at_path;
    for (;;) {
        f->fd = open(f->path, flags | O_RDWR | O_CLOEXEC | O_NONBLOCK, 0600);
        if (f->fd < 0 || fstat(f->fd, info) != 0) return wm_log_fail_io(e, errno);
        if (!S_ISREG(info->st_mode)) return wm_log_fail(e, WM_LOG_NOT_A_LOG, "it is not a regular file");
        if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return wm_log_fail_io(e, errno);
            return wm_log_fail(e, WM_LOG_BUSY, "another client has it open");
        }
        if (stat(f->path, &at_path) == 0 && is_same_file(info, &at_path)) return true;
        close(f->fd);
    }
}

static bool read_beginning(wm_log_file *f, const struct stat *info, wm_log_error *e)
{
    wm_log_beginning b;
    if (!wm_log_beginning_read(&b, f->fd, e)) return false;
    if (!wm_log_beginning_check_head(&b, f->kind, e) || !wm_log_beginning_last_commit(&b, &f->committed, e)) return false;
    f->next = f->committed;
    uint64_t missing = f->committed.end - (uint64_t)info->st_size;
    if (f->committed.end > (uint64_t)info->st_size)
        return wm_log_fail(e, WM_LOG_DAMAGED, "its last %llu bytes are missing", (unsigned long long)missing);
    return true;
}

/* Opens the file, and makes it if there is none. Other processes may make and remove it meanwhile, so
 * this is tried a few times. */
static bool open_or_make(wm_log_file *f, wm_log_error *e)
{
    struct stat info;
    bool made = false;
    for (int tries = 0; tries < 8; tries++) {
        if (stat(f->path, &info) == 0) return open_locked(f, 0, &info, e) && read_beginning(f, &info, e);
        if (errno != ENOENT) return wm_log_fail_io(e, errno);
        if (!make_file(f, &made, e) || made) return made;
    }
    return wm_log_fail(e, WM_LOG_IO, "it is a symbolic link to a file that does not exist");
}

static bool make_new(wm_log_file *f, wm_log_error *e)
{
    bool made;
    if (!make_file(f, &made, e)) return false;
    return made || wm_log_fail(e, WM_LOG_IO, "it is there already");
}

static wm_log_file *open_with(bool (*get)(wm_log_file *, wm_log_error *), const char *path, const char *kind, bool sync,
                              wm_log_error *e)
{
    wm_log_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        wm_log_fail_io(e, ENOMEM);
        return NULL;
    }
    f->fd = -1;
    f->sync = sync;
    snprintf(f->kind, sizeof f->kind, "%s", kind);
    f->path = strdup(path);
    bool ok = f->path != NULL ? get(f, e) : wm_log_fail_io(e, ENOMEM);
    if (ok) f->real_path = realpath(path, NULL);
    if (ok && f->real_path != NULL) return f;
    if (ok) wm_log_fail_io(e, errno);
    wm_log_file_close(f);
    return NULL;
}

wm_log_file *wm_log_file_open(const char *path, const char *kind, bool sync, wm_log_error *e)
{
    return open_with(open_or_make, path, kind, sync, e);
}

wm_log_file *wm_log_file_new(const char *path, const char *kind, bool sync, wm_log_error *e)
{
    return open_with(make_new, path, kind, sync, e);
}

bool wm_log_file_shrink(wm_log_file *f, uint64_t bytes)
{
    struct stat info;
    if (fstat(f->fd, &info) != 0 || info.st_nlink > 0) return true;
    off_t left = (uint64_t)info.st_size > bytes ? info.st_size - (off_t)bytes : 0;
    return ftruncate(f->fd, left) != 0 || left == 0;
}

void wm_log_file_close(wm_log_file *f)
{
    if (f == NULL) return;
    if (f->is_beside) unlink(f->path);
    if (f->fd >= 0) close(f->fd);
    free(f->path);
    free(f->real_path);
    free(f);
}

/* -- reading ------------------------------------------------------------------------------- */

uint64_t wm_log_file_length(const wm_log_file *f)
{
    return f->committed.end;
}

uint64_t wm_log_file_used(const wm_log_file *f)
{
    return f->committed.end - f->committed.start;
}

const uint64_t *wm_log_file_counts(const wm_log_file *f)
{
    return f->committed.counts;
}

static bool damaged_at(const wm_log_slot *slot, uint64_t number, uint64_t at, wm_log_error *e)
{
    return wm_log_fail(e, WM_LOG_DAMAGED, "it is damaged at byte %llu, in part %llu of %llu", (unsigned long long)at,
                       (unsigned long long)(number - slot->first) + 1, (unsigned long long)(slot->next - slot->first));
}

/* Reads the frame at `at` into the buffer. It must have the number `number`, and follow one with the
 * checksum `before`. */
static bool read_frame(wm_log_file *f, wm_buffer *b, uint64_t at, uint64_t number, uint64_t before, wm_log_error *e)
{
    const wm_log_slot *slot = &f->committed;
    wm_log_frame frame;
    uint64_t left = slot->end - at;
    if (left < sizeof frame) return damaged_at(slot, number, at, e);
    ssize_t n = wm_log_read_at(f->fd, &frame, sizeof frame, at, e);
    if (n < 0) return false;
    if ((size_t)n < sizeof frame || frame.mark != WM_LOG_FRAME_MARK || frame.id != slot->id ||
        frame.first != slot->first || frame.number != number || frame.before != before ||
        wm_log_frame_size(frame.len) > left)
        return damaged_at(slot, number, at, e);
    wm_buffer_clear(b);
    size_t size = sizeof frame + frame.len;
    if (wm_buffer_reserve(b, size) == NULL) return wm_log_fail_io(e, ENOMEM);
    n = wm_log_read_at(f->fd, b->data, size, at, e);
    if (n < 0) return false;
    /* The header is read again with the payload, so that what was checked is what is used. */
    if ((size_t)n < size || memcmp(b->data, &frame, sizeof frame) != 0 ||
        !wm_log_frame_is_whole((const wm_log_frame *)(const void *)b->data))
        return damaged_at(slot, number, at, e);
    b->len = size;
    return true;
}

bool wm_log_file_read(wm_log_file *f, bool (*visit)(void *user, const uint8_t *payload, size_t len), void *user,
                      wm_log_error *e)
{
    const wm_log_slot *slot = &f->committed;
    wm_buffer b;
    wm_log_frame frame = {.check = slot->before};
    uint64_t at = slot->start, number = slot->first;
    bool ok = true;
    wm_buffer_init(&b);
    for (; ok && number < slot->next; number++) {
        ok = read_frame(f, &b, at, number, frame.check, e);
        if (!ok) break;
        memcpy(&frame, b.data, sizeof frame);
        at += wm_log_frame_size(frame.len);
        ok = visit(user, b.data + sizeof frame, frame.len);
    }
    wm_buffer_close(&b);
    if (ok && (at != slot->end || frame.check != slot->last)) return damaged_at(slot, number, at, e);
    return ok;
}

/* -- writing ------------------------------------------------------------------------------- */

bool wm_log_frame_begin(wm_buffer *frame)
{
    wm_buffer_clear(frame);
    if (wm_buffer_reserve(frame, sizeof(wm_log_frame)) == NULL) return false;
    frame->len = sizeof(wm_log_frame);
    return true;
}

bool wm_log_file_restart(wm_log_file *f, uint64_t size)
{
    const uint64_t second = WM_LOG_FRAMES_AT + WM_LOG_REGION;
    const wm_log_slot *slot = &f->committed;
    uint64_t at = WM_LOG_FRAMES_AT;
    if (wm_log_file_used(f) < WM_LOG_REGION) return false;
    if (slot->start < second) { /* behind the committed frames, unless these reach too far */
        if (slot->end > second + WM_LOG_REGION) return false;
        at = slot->end > second ? slot->end : second;
    } else if (size > slot->start - at) {
        return false;
    }
    f->next.start = f->next.end = at;
    f->next.first = f->next.next;
    f->next.before = f->next.last;
    return true;
}

/* Whether an append would overwrite committed frames, which stay until the next commit is complete. */
static bool overwrites_committed(const wm_log_file *f, uint64_t size)
{
    return f->next.end < f->committed.start && size > f->committed.start - f->next.end;
}

/* Starts writing a new file to the disk early: when it replaces the other one the file system writes the
 * rest while the caller waits. */
static void write_behind(wm_log_file *f)
{
    uint64_t len = f->next.end - f->on_its_way;
    if (len < WRITE_BEHIND) return;
    (void)!sync_file_range(f->fd, (off_t)f->on_its_way, (off_t)len, SYNC_FILE_RANGE_WRITE);
    f->on_its_way = f->next.end;
}

bool wm_log_file_append(wm_log_file *f, wm_buffer *b, wm_log_error *e)
{
    static const uint8_t filling[8];
    wm_log_slot *next = &f->next;
    size_t len = b->len - sizeof(wm_log_frame);
    if (b->failed || len > UINT32_MAX) return wm_log_fail_io(e, ENOMEM);
    uint64_t size = wm_log_frame_size((uint32_t)len);
    wm_log_frame *frame = (wm_log_frame *)(void *)b->data;
    *frame = (wm_log_frame){0, WM_LOG_FRAME_MARK, (uint32_t)len, next->id, next->first, next->next, next->last};
    wm_log_seal_frame(frame);
    uint64_t last = frame->check;
    wm_buffer_append(b, filling, (size_t)size - b->len);
    if (b->failed) return wm_log_fail_io(e, ENOMEM);
    if (overwrites_committed(f, size)) return wm_log_fail(e, WM_LOG_IO, "a rewrite of the file was larger than announced");
    if (!write_at(f, b->data, b->len, next->end, e)) return false;
    b->len = sizeof(wm_log_frame) + len;
    next->end += size;
    next->last = last;
    next->next++;
    if (f->is_beside) write_behind(f);
    return true;
}

static bool write_slot(wm_log_file *f, wm_log_error *e)
{
    wm_log_seal_slot(&f->next);
    f->slot_written = true;
    return write_at(f, &f->next, sizeof f->next, WM_LOG_SLOT_AT * (f->next.commit % 2 + 1), e);
}

bool wm_log_file_commit(wm_log_file *f, const uint64_t counts[2], wm_log_error *e)
{
    f->next.commit = f->committed.commit + 1;
    memcpy(f->next.counts, counts, sizeof f->next.counts);
    /* The slot must not reach the disk before the frames that it commits. */
    if (!reach_disk(f, e) || !write_slot(f, e) || !reach_disk(f, e)) return false;
    f->slot_written = false;
    f->committed = f->next;
    return true;
}

void wm_log_file_rollback(wm_log_file *f)
{
    wm_log_error ignored;
    f->next = f->committed;
    if (f->slot_written) {
        f->next.commit = f->committed.commit + 1;
        if (write_slot(f, &ignored)) {
            f->committed = f->next;
            f->slot_written = false;
        }
    }
    f->next = f->committed;
    if (ftruncate(f->fd, (off_t)f->committed.end) != 0) return; /* bytes behind the last commit are ignored */
}

/* -- its place ----------------------------------------------------------------------------- */

bool wm_log_file_is_there(const wm_log_file *f)
{
    struct stat ours;
    return fstat(f->fd, &ours) == 0 && ours.st_nlink > 0 && (uint64_t)ours.st_size >= f->committed.end;
}

bool wm_log_file_is_in_place(const wm_log_file *f, wm_log_error *e)
{
    struct stat ours, at_path;
    if (fstat(f->fd, &ours) != 0) return wm_log_fail_io(e, errno);
    if (stat(f->path, &at_path) != 0)
        return errno == ENOENT ? wm_log_fail(e, WM_LOG_REMOVED, "it was removed while it was open")
                               : wm_log_fail_io(e, errno);
    if (!is_same_file(&ours, &at_path))
        return wm_log_fail(e, WM_LOG_REPLACED, "another file was put in its place while it was open");
    if ((uint64_t)ours.st_size < f->committed.end)
        return wm_log_fail(e, WM_LOG_CHANGED, "something else made it shorter while it was open");
    return true;
}

static bool make_beside(wm_log_file *next, const wm_log_file *f, wm_log_error *e)
{
    struct stat info;
    next->fd = -1;
    next->sync = f->sync;
    memcpy(next->kind, f->kind, sizeof next->kind);
    if (asprintf(&next->path, "%s.wingman-new", f->real_path) < 0) {
        next->path = NULL;
        return wm_log_fail_io(e, ENOMEM);
    }
    unlink(next->path); /* left by a process that was killed: this process has the lock of `f` */
    next->is_beside = true;
    if (!open_locked(next, O_CREAT | O_EXCL, &info, e)) return false;
    if (fstat(f->fd, &info) == 0) (void)!fchmod(next->fd, info.st_mode & 07777);
    return write_beginning(next, e) && reach_disk(next, e);
}

wm_log_file *wm_log_file_beside(const wm_log_file *f, wm_log_error *e)
{
    wm_log_file *next = calloc(1, sizeof *next);
    if (next == NULL) {
        wm_log_fail_io(e, ENOMEM);
        return NULL;
    }
    if (make_beside(next, f, e)) return next;
    wm_log_file_close(next);
    return NULL;
}

static bool rename_to(const char *from, const wm_log_file *f, wm_log_error *e)
{
    bool in_place = wm_log_file_is_in_place(f, e);
    if (!in_place && e->problem != WM_LOG_REMOVED && e->problem != WM_LOG_CHANGED) return false;
    if (in_place || e->problem == WM_LOG_CHANGED) return rename(from, f->real_path) == 0 || wm_log_fail_io(e, errno);
    /* Another process may have made the file. */
    return rename_to_free(from, f->real_path) || wm_log_fail_io(e, errno);
}

bool wm_log_file_take_place(wm_log_file *next, const wm_log_file *f, wm_log_error *e)
{
    char *path = strdup(f->path), *real_path = strdup(f->real_path);
    if (path == NULL || real_path == NULL || !rename_to(next->path, f, e)) {
        if (path == NULL || real_path == NULL) wm_log_fail_io(e, ENOMEM);
        free(path);
        free(real_path);
        return false;
    }
    if (next->sync) sync_directory(real_path);
    free(next->path);
    next->path = path;
    next->real_path = real_path;
    next->is_beside = false;
    return true;
}
