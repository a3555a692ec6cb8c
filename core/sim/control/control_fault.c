/* `fault ID NAME [ARGS]`: what a node shall do wrong. */
#include "sim/control/control_fault.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/server/node.h"
#include "sim/server/socket.h"
#include "sim/wire/alloc.h"
#include "sim/wire/encoding.h"

/* Of one fault; the control line has no more. */
#define ARGS_MAX 16
#define FRAME_BYTES_MAX (UINT32_C(1) << 30)

typedef struct fault fault;
struct fault {
    const char *name;
    const char *args; /* for the usage */
    int min_args;
    int max_args;
    bool (*apply)(sim_control *k, const fault *f, sim_node *n, char **argv);
    size_t field; /* of sim_faults, for flags and counts */
};

/* A flag; alone it means 1. */
static bool set_flag(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    uint64_t on = 1;
    if (argv[0] != NULL && !sim_control_number(k, f->name, argv[0], 1, &on)) return false;
    *(bool *)((char *)&n->faults + f->field) = on;
    int rc = sim_node_update_listener(n); /* for `refuse` */
    return rc == 0 || sim_control_fail(k, "%s: %s", f->name, uv_strerror(rc));
}

static bool set_nagle(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    if (!set_flag(k, f, n, argv)) return false;
    sim_sockets_update_nagle(n);
    return true;
}

static bool set_count(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    uint64_t v;
    if (!sim_control_number(k, f->name, argv[0], UINT32_MAX, &v)) return false;
    *(uint32_t *)((char *)&n->faults + f->field) = (uint32_t)v;
    return true;
}

static bool ack_delay(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    return sim_control_number(k, f->name, argv[0], 3600000, &n->faults.ack_delay_ms);
}

static bool set_v2_count(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    if (n->cluster->family != SIM_FAMILY_V2) return sim_control_fail(k, "%s: only v2 nodes refuse what they cannot take", f->name);
    return set_count(k, f, n, argv);
}

static bool write_behind(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    uint64_t speed;
    if (!sim_control_number(k, f->name, argv[1], UINT32_MAX, &speed) || !set_v2_count(k, f, n, argv)) return false;
    n->faults.disk_speed = (uint32_t)speed;
    return true;
}

static bool root_delay(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    return sim_control_number(k, f->name, argv[0], 3600000, &n->faults.root_delay_ms);
}

static bool batch_error(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    static const struct {
        const char *text;
        sim_batch_error error;
    } names[] = {
#define X(name, text) {text, SIM_BATCH_##name},
        SIM_BATCH_ERRORS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t count;
        if (strcmp(names[i].text, argv[0]) != 0) continue;
        if (!sim_control_number(k, f->name, argv[1], UINT32_MAX, &count)) return false;
        n->faults.error = names[i].error;
        n->faults.errors_left = (uint32_t)count;
        return true;
    }
    return sim_control_fail(k, "error: expected NOT_OWNER, STALE_MAP, 500 or 429, got '%s'", argv[0]);
}

static bool garbage(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    static const uint8_t bytes[] = {0xc1, 0xff, 0x00, 0xde, 0xff, 0xff};
    (void)k;
    (void)f;
    (void)argv;
    sim_sockets_send(n, SIM_SENT_BINARY, bytes, sizeof bytes);
    return true;
}

/* The words of the 0.11 server. */
static const char *close_text(uint64_t code)
{
    switch (code) {
    case 1001: return "Server Shutdown";
    case 1002: return "Protocol Error";
    case 1013: return "Server overloaded";
    case 4001: return "Unauthorized";
    case 4002: return "Heartbeat timeout";
    default: return "ordered";
    }
}

/* The session that a fault names, which must be open; or all. */
static bool session_of(sim_control *k, const fault *f, const sim_node *n, const char *text, uint64_t *out)
{
    *out = SIM_ALL_SESSIONS;
    if (text == NULL) return true;
    if (!sim_control_number(k, f->name, text, UINT64_MAX, out)) return false;
    for (const sim_session *s = n->sessions; s != NULL; s = s->next)
        if (s->number == *out) return true;
    return sim_control_fail(k, "%s: %s has no open connection %s", f->name, n->id, text);
}

static bool close_all(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    uint64_t code;
    if (!sim_control_number(k, f->name, argv[0], 4999, &code)) return false;
    if (code < 1000 && code != 0) return sim_control_fail(k, "close: expected a close code of 1000 to 4999, or 0, got '%s'", argv[0]);
    uint64_t session;
    if (!session_of(k, f, n, argv[1], &session)) return false;
    sim_sockets_close(n, session, (int)code, code != 0 ? close_text(code) : "");
    return true;
}

static bool cut(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    if (!sim_control_number(k, f->name, argv[0], UINT32_MAX, &n->faults.cut_left)) return false;
    n->faults.cut = true;
    return true;
}

static bool cut_out(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    if (!sim_control_number(k, f->name, argv[0], UINT32_MAX, &n->faults.cut_out_left)) return false;
    n->faults.cut_out = true;
    return true;
}

static bool reset(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    uint64_t session;
    if (!session_of(k, f, n, argv[0], &session)) return false;
    sim_sockets_drop(n, session, true);
    return true;
}

static bool drop(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    uint64_t session;
    if (!session_of(k, f, n, argv[0], &session)) return false;
    sim_sockets_drop(n, session, false);
    return true;
}

static bool half_open(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    (void)k;
    (void)f;
    (void)argv;
    sim_sockets_abandon(n);
    return true;
}

static bool unreadable(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    (void)f;
    size_t len = strlen(argv[0]);
    if (len >= sizeof n->faults.unreadable) return sim_control_fail(k, "unreadable: the text is too long");
    memcpy(n->faults.unreadable, argv[0], len + 1);
    return true;
}

/* The words that are left, with blanks between them. False when they do not fit. */
static bool join_words(char **argv, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (; *argv != NULL; argv++) {
        int written = snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", *argv);
        if (written < 0 || (size_t)written >= size - used) return false;
        used += (size_t)written;
    }
    return true;
}

static bool poison(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    static const struct {
        const char *text;
        sim_poison poison;
    } names[] = {
#define X(name, text) {text, SIM_POISON_##name},
        SIM_POISONS(X)
#undef X
    };
    (void)f;
    size_t len = strlen(argv[0]);
    if (len >= sizeof n->faults.poison_key) return sim_control_fail(k, "poison: the text is too long");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].text, argv[1]) != 0) continue;
        if (!join_words(argv + 2, n->faults.poison_words, sizeof n->faults.poison_words))
            return sim_control_fail(k, "poison: the server's words are too long");
        memcpy(n->faults.poison_key, argv[0], len + 1);
        n->faults.poison = names[i].poison;
        return true;
    }
    return sim_control_fail(k, "poison: expected unanswered, refused or cut, got '%s'", argv[1]);
}

/* {type: "SIM_PADDING", data: bin} of exactly so many bytes: only its size is
 * wrong. The length is always written in four bytes, so that any size fits. */
static bool oversize(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    uint64_t size;
    if (!sim_control_number(k, f->name, argv[0], FRAME_BYTES_MAX, &size)) return false;
    wm_buffer b;
    wm_buffer_init(&b);
    sim_put_map(&b, n->cluster->family, 2);
    sim_put_text(&b, "type");
    sim_put_text(&b, "SIM_PADDING");
    sim_put_text(&b, "data");
    bool fits = size >= b.len + 5;
    if (fits) {
        uint32_t len = (uint32_t)(size - b.len - 5);
        uint8_t header[] = {0xc6, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
        wm_buffer_append(&b, header, sizeof header);
        uint8_t *zeros = sim_alloc(len);
        wm_buffer_append(&b, zeros, len);
        free(zeros);
        sim_sockets_send(n, SIM_SENT_BINARY, b.data, b.len);
    }
    wm_buffer_close(&b);
    return fits || sim_control_fail(k, "oversize: a frame of %s bytes is too small to be a message", argv[0]);
}

static bool map_version(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    bool pushed = n->pushed_version == n->map_version;
    if (!sim_control_number(k, f->name, argv[0], UINT32_MAX, &n->map_version)) return false;
    if (pushed) n->pushed_version = n->map_version;
    return true;
}

static bool none(sim_control *k, const fault *f, sim_node *n, char **argv)
{
    (void)argv;
    n->faults = (sim_faults){0};
    sim_sockets_update_nagle(n);
    int rc = sim_node_update_listener(n);
    return rc == 0 || sim_control_fail(k, "%s: %s", f->name, uv_strerror(rc));
}

#define FIELD(name) offsetof(sim_faults, name)

static const fault faults[] = {
    {"ack-delay", "MS", 1, 1, ack_delay, 0},
    {"speed", "N", 1, 1, set_count, FIELD(speed)},
    {"inbox", "N", 1, 1, set_v2_count, FIELD(inbox)},
    {"write-behind", "N RATE", 2, 2, write_behind, FIELD(write_behind)},
    {"ack-drop", "N", 1, 1, set_count, FIELD(ack_drop)},
    {"ack-duplicate", "N", 1, 1, set_count, FIELD(ack_duplicate)},
    {"reorder", "0|1", 0, 1, set_flag, FIELD(reorder)},
    {"refuse", "0|1", 0, 1, set_flag, FIELD(refuse)},
    {"silent", "0|1", 0, 1, set_flag, FIELD(silent)},
    {"mute", "0|1", 0, 1, set_flag, FIELD(mute)},
    {"nagle", "0|1", 0, 1, set_nagle, FIELD(nagle)},
    {"map-withhold", "0|1", 0, 1, set_flag, FIELD(map_withhold)},
    {"map-unpushed", "0|1", 0, 1, set_flag, FIELD(map_unpushed)},
    {"map-stale", "0|1", 0, 1, set_flag, FIELD(map_stale)},
    {"no-auth-ack", "0|1", 0, 1, set_flag, FIELD(no_auth_ack)},
    {"error", "NAME N", 2, 2, batch_error, 0},
    {"root-delay", "MS", 1, 1, root_delay, 0},
    {"garbage", "", 0, 0, garbage, 0},
    {"close", "CODE [CONNECTION]", 1, 2, close_all, 0},
    {"unreadable", "TEXT", 1, 1, unreadable, 0},
    {"poison", "TEXT unanswered|refused|cut [WORDS]", 2, ARGS_MAX, poison, 0},
    {"cut", "N", 1, 1, cut, 0},
    {"cut-out", "N", 1, 1, cut_out, 0},
    {"reset", "[CONNECTION]", 0, 1, reset, 0},
    {"drop", "[CONNECTION]", 0, 1, drop, 0},
    {"half-open", "", 0, 0, half_open, 0},
    {"oversize", "BYTES", 1, 1, oversize, 0},
    {"map-version", "N", 1, 1, map_version, 0},
    {"none", "", 0, 0, none, 0},
};

static bool apply(sim_control *k, const fault *f, const char *id, char **argv)
{
    if (strcmp(id, "all") != 0) {
        sim_node *n = sim_control_node(k, id);
        return n != NULL && f->apply(k, f, n, argv);
    }
    for (uint32_t i = 0; i < k->cluster->node_count; i++)
        if (!f->apply(k, f, k->cluster->nodes[i], argv)) return false;
    return true;
}

bool sim_control_fault(sim_control *k, int argc, char **argv)
{
    char *args[ARGS_MAX + 1] = {NULL};
    for (int i = 2; i < argc && i - 2 < ARGS_MAX; i++) args[i - 2] = argv[i];
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const fault *f = &faults[i];
        if (strcmp(f->name, argv[1]) != 0) continue;
        if (argc - 2 < f->min_args || argc - 2 > f->max_args)
            return sim_control_fail(k, "fault: usage: fault ID %s %s", f->name, f->args);
        return apply(k, f, argv[0], args);
    }
    return sim_control_fail(k, "unknown fault '%s'", argv[1]);
}
