/* An op log in a file, against a model: whatever is recorded, settled, made a dead letter,
 * dropped and written, and whatever happens to the file while it is open, what the next process
 * finds is what the last successful commit left. At the end the file is damaged: it is refused,
 * or still says the same; and what can be salvaged of it was written.
 *
 * Input: steps of two bytes, what and with which operation; the last four say which byte of the
 * file becomes what, and where it is cut. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "fuzz/require.h"
#include "oplog/file/op_salvage.h"
#include "oplog/oplog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPS_MAX 2000u

typedef enum fate {
    GONE,
    PENDING,
    LETTER,
    RETAINED,
} fate; /* RETAINED: gone, and in the file */

typedef struct model_op {
    uint32_t index;
    fate now, committed;
} model_op;

typedef struct fuzz {
    char path[80], aside[96], saved[80];
    wm_oplog *log;
    wm_op_ids ids;
    model_op ops[OPS_MAX + 1]; /* by seq */
    uint64_t last_seq;
    uint64_t now_us;
    uint32_t found_letters;
} fuzz;

/* What an operation says follows from its seq. */
static size_t value_of(uint64_t seq, uint8_t *out)
{
    size_t len = 1 + seq * 37 % 150;
    out[0] = 0xd9; /* str 8 */
    out[1] = (uint8_t)len;
    for (size_t i = 0; i < len; i++) out[2 + i] = (uint8_t)('a' + (seq + i) % 26);
    return len + 2;
}

static void name_of(uint64_t seq, char key[4])
{
    for (int i = 0; i < 4; i++) key[i] = (char)('a' + (seq >> (4 * i)) % 16);
}

/* -- the file ------------------------------------------------------------------------------ */

static bool open_log(fuzz *f, wm_log_error *e)
{
    f->log = wm_oplog_new((wm_oplog_limits){OPS_MAX, 1u << 24});
    REQUIRE(f->log != NULL);
    if (!wm_oplog_open(f->log, f->path, "client-1", false, e)) return false;
    wm_oplog_retain_bytes(f->log, 4096); /* of which there is seldom enough */
    return true;
}

/* In the file for the next process. */
static bool is_kept(fate fate)
{
    return fate == PENDING || fate == RETAINED;
}

static void expect_letter(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len)
{
    fuzz *f = user;
    uint8_t value[256];
    REQUIRE(seq <= f->last_seq && f->ops[seq].committed == LETTER);
    REQUIRE(len == value_of(seq, value) && memcmp(value, bytes, len) == 0);
    f->found_letters++;
}

static void settle(fuzz *f, uint64_t seq, fate to)
{
    uint8_t value[256];
    if (seq == 0) return;
    if (to == LETTER) REQUIRE(wm_oplog_put_letter(f->log, seq, value, (uint32_t)value_of(seq, value)));
    wm_oplog_settle(f->log, f->ops[seq].index);
    f->ops[seq].now = to;
}

static void retain(fuzz *f, uint64_t seq)
{
    if (seq == 0) return;
    wm_oplog_retain(f->log, f->ops[seq].index, ++f->now_us);
    bool is_retained = wm_oplog_at(f->log, f->ops[seq].index)->is_retained;
    settle(f, seq, is_retained ? RETAINED : GONE);
}

/* What the file says was acknowledged leaves the log again, as a client does it. */
static void retain_acknowledged(fuzz *f)
{
    for (uint64_t seq = 1; seq <= f->last_seq; seq++)
        if (f->ops[seq].now == RETAINED) retain(f, seq);
}

/* The log has what the last commit left, and knows where it is. */
static void check_loaded(fuzz *f)
{
    uint32_t pending = 0, letters = 0;
    uint8_t value[256];
    char key[4];
    for (uint32_t index = 1; index < wm_oplog_end(f->log); index++) {
        wm_op *op = wm_oplog_at(f->log, index);
        if (op->state == WM_OP_FREE) continue;
        REQUIRE(op->seq <= f->last_seq && is_kept(f->ops[op->seq].committed));
        REQUIRE(op->is_acknowledged == (f->ops[op->seq].committed == RETAINED));
        wm_op_view view = wm_oplog_read(f->log, op);
        name_of(op->seq, key);
        REQUIRE(view.key_len == 4 && memcmp(view.key, key, 4) == 0);
        REQUIRE(view.value_len == value_of(op->seq, value) && memcmp(view.value, value, view.value_len) == 0);
        f->ops[op->seq].index = index;
        pending++;
    }
    f->found_letters = 0;
    wm_oplog_letters(f->log, expect_letter, f);
    for (uint64_t seq = 1; seq <= f->last_seq; seq++) {
        f->ops[seq].now = f->ops[seq].committed;
        pending -= is_kept(f->ops[seq].now);
        letters += f->ops[seq].now == LETTER;
    }
    REQUIRE(pending == 0 && letters == f->found_letters);
    REQUIRE(strcmp(wm_oplog_client_id(f->log), "client-1") == 0);
    retain_acknowledged(f);
}

static void sync_log(fuzz *f)
{
    bool was_failing = wm_oplog_error(f->log)->problem != WM_LOG_NONE;
    int result = wm_oplog_sync(f->log);
    /* What the sync before could not write, and found why, this one writes. */
    REQUIRE(result == WM_OK || !was_failing);
    if (result != WM_OK) return;
    for (uint64_t seq = 1; seq <= f->last_seq; seq++) f->ops[seq].committed = f->ops[seq].now;
}

static void reopen(fuzz *f)
{
    wm_log_error e;
    struct stat info;
    wm_oplog_free(f->log);
    if (stat(f->path, &info) != 0) /* gone while nobody looked: a new file */
        for (uint64_t seq = 1; seq <= f->last_seq; seq++) f->ops[seq].committed = GONE;
    if (!open_log(f, &e)) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    f->last_seq = wm_oplog_last_seq(f->log) > f->last_seq ? wm_oplog_last_seq(f->log) : f->last_seq;
    check_loaded(f);
}

/* -- steps --------------------------------------------------------------------------------- */

static void record(fuzz *f)
{
    uint8_t value[256], *to;
    char key[4];
    uint64_t seq = wm_oplog_last_seq(f->log) + 1;
    if (seq > OPS_MAX || wm_oplog_is_full(f->log)) return;
    size_t available, value_len = value_of(seq, value), head = wm_op_kept_head(4);
    uint32_t template = wm_oplog_template(f->log, false, seq % 2 ? "m" : "another", seq % 2 ? 1 : 7, "client-1");
    REQUIRE(wm_oplog_reserve(f->log, head + value_len, &to, &available) == WM_OK);
    name_of(seq, key);
    wm_op_keep_head(to, f->ids.start, key, 4, &(wm_hlc){1000 + seq, 0});
    memcpy(to + head, value, value_len);
    uint32_t index = wm_oplog_commit(f->log, template, head + value_len, 4);
    REQUIRE(index != WM_NO_OP && wm_oplog_at(f->log, index)->seq == seq);
    wm_op_ids_advance(&f->ids);
    f->ops[seq] = (model_op){index, PENDING, GONE};
    f->last_seq = seq;
}

/* One of the operations or dead letters; 0 when there is none. */
static uint64_t choose(const fuzz *f, fate fate, uint8_t which)
{
    uint64_t seen = 0;
    for (uint64_t seq = f->last_seq; seq > 0; seq--)
        if (f->ops[seq].now == fate && seen++ == which % 8u) return seq;
    return 0;
}

static void release(fuzz *f)
{
    wm_oplog_release(f->log, UINT64_MAX);
    for (uint64_t seq = 1; seq <= f->last_seq; seq++)
        if (f->ops[seq].now == RETAINED) f->ops[seq].now = GONE;
}

static void settle_all(fuzz *f)
{
    for (uint64_t seq; (seq = choose(f, PENDING, 0)) != 0;) settle(f, seq, GONE);
}

static void drop(fuzz *f, uint64_t seq)
{
    if (seq == 0) return;
    REQUIRE(wm_oplog_drop_letter(f->log, seq));
    f->ops[seq].now = GONE;
}

/* Another file is in its place: every commit fails, and that one is left alone. */
static void replace(fuzz *f)
{
    if (wm_oplog_check_file(f->log) != WM_OK) return;
    REQUIRE(rename(f->path, f->aside) == 0);
    int fd = open(f->path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    REQUIRE(fd >= 0 && write(fd, "mine", 4) == 4 && close(fd) == 0);
    REQUIRE(wm_oplog_check_file(f->log) == WM_EDISK && wm_oplog_sync(f->log) == WM_EDISK);
    REQUIRE(wm_oplog_error(f->log)->problem == WM_LOG_REPLACED);
    struct stat info;
    REQUIRE(stat(f->path, &info) == 0 && info.st_size == 4);
    REQUIRE(rename(f->aside, f->path) == 0);
    REQUIRE(wm_oplog_sync(f->log) == WM_OK);
    for (uint64_t seq = 1; seq <= f->last_seq; seq++) f->ops[seq].committed = f->ops[seq].now;
}

static void step(fuzz *f, uint8_t what, uint8_t which)
{
    switch (what % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: record(f); break;
    case 5:
    case 6:
    case 7: settle(f, choose(f, PENDING, which), GONE); break;
    case 8: settle(f, choose(f, PENDING, which), LETTER); break;
    case 9: drop(f, choose(f, LETTER, which)); break;
    case 10:
    case 11: sync_log(f); break;
    case 12:
        if (which % 8 == 7) release(f);
        else retain(f, choose(f, PENDING, which));
        break;
    case 13: reopen(f); break;
    case 14:
        if (which % 4 == 0) unlink(f->path);
        else if (which % 4 == 1) (void)!truncate(f->path, 100);
        else return;
        REQUIRE(wm_oplog_check_file(f->log) == WM_EDISK);
        sync_log(f);
        break;
    default:
        if (which % 4 == 0) replace(f);
        if (which % 4 == 1) settle_all(f);
        for (int i = 0; i < which % 32; i++) record(f);
        break;
    }
}

/* -- damage -------------------------------------------------------------------------------- */

static void damage(fuzz *f, const uint8_t *how)
{
    int fd = open(f->path, O_RDWR);
    struct stat info;
    uint8_t byte;
    REQUIRE(fd >= 0 && fstat(fd, &info) == 0);
    off_t at = (off_t)((how[0] | (unsigned)how[1] << 8) % (uint64_t)info.st_size);
    REQUIRE(pread(fd, &byte, 1, at) == 1);
    byte ^= how[2];
    REQUIRE(pwrite(fd, &byte, 1, at) == 1);
    if (how[3] % 4 == 0) REQUIRE(ftruncate(fd, info.st_size - 1 - how[3] * 16 % info.st_size) == 0);
    close(fd);
}

static void expect_written_letter(void *user, uint64_t seq, const uint8_t *bytes, uint32_t len)
{
    const fuzz *f = user;
    uint8_t value[256];
    REQUIRE(seq > 0 && seq <= f->last_seq);
    REQUIRE(len == value_of(seq, value) && memcmp(value, bytes, len) == 0);
}

/* Every operation is one that was recorded, and there once; it may be settled since. */
static void check_salvaged(fuzz *f, const wm_op_findings *found)
{
    static bool seen[OPS_MAX + 1];
    uint8_t value[256];
    memset(seen, 0, sizeof seen);
    for (uint32_t index = 1; index < wm_oplog_end(f->log); index++) {
        const wm_op *op = wm_oplog_at(f->log, index);
        if (op->state == WM_OP_FREE) continue;
        REQUIRE(op->seq > 0 && op->seq <= f->last_seq && !seen[op->seq]);
        seen[op->seq] = true;
        wm_op_view view = wm_oplog_read(f->log, op);
        REQUIRE(view.value_len == value_of(op->seq, value) && memcmp(view.value, value, view.value_len) == 0);
    }
    REQUIRE(wm_oplog_count(f->log) == found->counts.pending + found->counts.acknowledged);
    wm_oplog_letters(f->log, expect_written_letter, f);
}

static void salvage(fuzz *f)
{
    wm_op_findings found, again;
    wm_log_error e;
    char path[sizeof f->path];
    unlink(f->saved);
    if (!wm_op_salvage(f->path, f->saved, &found, &e)) {
        REQUIRE(e.problem == WM_LOG_NOT_A_LOG && access(f->saved, F_OK) != 0);
        return;
    }
    REQUIRE(wm_op_inspect(f->saved, &again, &e));
    REQUIRE(!again.file.is_damaged && memcmp(&again.counts, &found.counts, sizeof found.counts) == 0);
    REQUIRE(memcmp(&again.written, &found.counts, sizeof found.counts) == 0);
    memcpy(path, f->path, sizeof path);
    snprintf(f->path, sizeof f->path, "%s", f->saved);
    REQUIRE(open_log(f, &e));
    memcpy(f->path, path, sizeof path);
    check_salvaged(f, &found);
    wm_oplog_free(f->log);
    unlink(f->saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6) return 0;
    static fuzz f;
    wm_log_error e;
    memset(&f, 0, sizeof f);
    snprintf(f.path, sizeof f.path, "/dev/shm/op_store_fuzz.%d", (int)getpid());
    snprintf(f.aside, sizeof f.aside, "%s.aside", f.path);
    snprintf(f.saved, sizeof f.saved, "/dev/shm/op_store_fuzz.%d.saved", (int)getpid());
    unlink(f.path);
    wm_op_ids_init(&f.ids, "abcdefgh");
    REQUIRE(open_log(&f, &e));
    for (size_t i = 0; i + 1 < size - 4; i += 2) step(&f, data[i], data[i + 1]);
    sync_log(&f);
    sync_log(&f);
    reopen(&f);
    wm_oplog_free(f.log);
    damage(&f, data + size - 4);
    salvage(&f);
    if (open_log(&f, &e)) check_loaded(&f);
    else REQUIRE(e.problem == WM_LOG_DAMAGED || e.problem == WM_LOG_NOT_A_LOG);
    wm_oplog_free(f.log);
    unlink(f.path);
    return 0;
}
