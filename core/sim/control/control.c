#include "sim/control/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jwt.h"
#include "sim/control/control_fault.h"
#include "sim/control/control_inject.h"
#include "sim/control/control_read.h"
#include "sim/server/cluster.h"
#include "sim/server/node.h"
#include "sim/server/socket.h"
#include "sim/session/dialect.h"
#include "sim/wire/json.h"

#define ARGS_MAX 16
#define TOKEN_LIFE_S (INT64_C(10) * 365 * 24 * 3600)

/* -- commands about nodes -- */

static bool order(sim_control *k, const char *id, const char *(*give)(sim_cluster *c, sim_node *n))
{
    sim_node *n = sim_control_node(k, id);
    if (n == NULL) return false;
    const char *problem = give(k->cluster, n);
    return problem == NULL || sim_control_fail(k, "%s %s", id, problem);
}

static bool on_kill(sim_control *k, int argc, char **argv)
{
    (void)argc;
    return order(k, argv[0], sim_cluster_kill);
}

static bool on_stop(sim_control *k, int argc, char **argv)
{
    (void)argc;
    return order(k, argv[0], sim_cluster_stop);
}

static bool on_restart(sim_control *k, int argc, char **argv)
{
    (void)argc;
    return order(k, argv[0], sim_cluster_restart);
}

static bool on_pause(sim_control *k, int argc, char **argv)
{
    (void)argc;
    sim_node *n = sim_control_node(k, argv[0]);
    if (n == NULL) return false;
    if (!n->running) return sim_control_fail(k, "%s is not running", n->id);
    if (n->paused) return sim_control_fail(k, "%s is paused already", n->id);
    sim_node_pause(n);
    return true;
}

static bool on_resume(sim_control *k, int argc, char **argv)
{
    (void)argc;
    sim_node *n = sim_control_node(k, argv[0]);
    if (n == NULL) return false;
    if (!n->paused) return sim_control_fail(k, "%s is not paused", n->id);
    sim_node_resume(n);
    return true;
}

static bool on_move(sim_control *k, int argc, char **argv)
{
    uint64_t partition;
    (void)argc;
    if (!sim_control_number(k, "partition", argv[0], k->cluster->options->partitions - 1, &partition)) return false;
    sim_node *to = sim_control_node(k, argv[1]);
    if (to == NULL) return false;
    const char *problem = sim_cluster_move(k->cluster, (uint32_t)partition, to);
    return problem == NULL || sim_control_fail(k, "%s %s", to->id, problem);
}

static bool on_idle(sim_control *k, int argc, char **argv)
{
    uint64_t ms;
    (void)argc;
    sim_node *n = sim_control_node(k, argv[0]);
    if (n == NULL || !sim_control_number(k, "idle", argv[1], 3600000, &ms)) return false;
    sim_node_idle(n, ms);
    return true;
}

static bool on_prune(sim_control *k, int argc, char **argv)
{
    uint64_t millis;
    (void)argc;
    sim_node *n = sim_control_node(k, argv[0]);
    if (n == NULL || !sim_control_number(k, "prune", argv[1], WM_HLC_MAX, &millis)) return false;
    if (k->cluster->family != SIM_FAMILY_0_11) return sim_control_fail(k, "prune: v2 nodes keep no tombstones");
    if (!n->running) return sim_control_fail(k, "%s is not running", n->id);
    sim_node_prune(n, millis);
    return true;
}

static bool on_delta(sim_control *k, int argc, char **argv)
{
    uint64_t on;
    (void)argc;
    if (!sim_control_number(k, "delta", argv[0], 1, &on)) return false;
    k->cluster->sends_deltas = on;
    return true;
}

static bool on_expire_tokens(sim_control *k, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (uint32_t i = 0; i < k->cluster->node_count; i++)
        sim_sockets_close(k->cluster->nodes[i], SIM_ALL_SESSIONS, 4001, "Unauthorized");
    return true;
}

static bool on_quit(sim_control *k, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    k->quit = true;
    return true;
}

typedef struct command {
    const char *name;
    int min_args;
    int max_args;
    const char *usage;                                  /* of the arguments */
    bool (*run)(sim_control *k, int argc, char **argv); /* argv[0] is the first argument */
} command;

static const command commands[] = {
    {"nodes", 0, 0, "", sim_control_nodes},
    {"kill", 1, 1, "ID", on_kill},
    {"stop", 1, 1, "ID", on_stop},
    {"restart", 1, 1, "ID", on_restart},
    {"pause", 1, 1, "ID", on_pause},
    {"resume", 1, 1, "ID", on_resume},
    {"dump", 1, 2, "MAP [ID]", sim_control_dump},
    {"counts", 1, 1, "MAP", sim_control_counts},
    {"stats", 0, 0, "", sim_control_stats},
    {"connections", 1, 1, "ID", sim_control_connections},
    {"received", 1, 1, "ID", sim_control_received},
    {"arrivals", 1, 1, "ID", sim_control_arrivals},
    {"reset-stats", 0, 0, "", sim_control_reset_stats},
    {"fault", 2, ARGS_MAX - 1, "ID|all NAME [ARGS]", sim_control_fault},
    {"move", 2, 2, "PARTITION ID", on_move},
    {"idle", 2, 2, "ID MS", on_idle},
    {"prune", 2, 2, "ID MILLIS", on_prune},
    {"delta", 1, 1, "0|1", on_delta},
    {"expire-tokens", 0, 0, "", on_expire_tokens},
    {"inject", 2, ARGS_MAX - 1, "ID CONNECTION [HEX...]", sim_control_inject},
    {"inject-text", 3, ARGS_MAX - 1, "ID CONNECTION HEX...", sim_control_inject_text},
    {"send", 2, 4, "ID binary|text|raw [HEX [TIMES]]", sim_control_send},
    {"take-frames", 1, 1, "CONNECTION", sim_control_take_frames},
    {"quit", 0, 0, "", on_quit},
};

static bool run(sim_control *k, int argc, char **argv)
{
    if (argc == 0) return sim_control_fail(k, "empty command");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const command *c = &commands[i];
        if (strcmp(c->name, argv[0]) != 0) continue;
        if (argc - 1 < c->min_args || argc - 1 > c->max_args)
            return sim_control_fail(k, "%s: usage: %s %s", c->name, c->name, c->usage);
        return c->run(k, argc - 1, argv + 1);
    }
    return sim_control_fail(k, "unknown command '%s'", argv[0]);
}

/* -- lines -- */

/* Standard output may be a pipe that was made non-blocking with our input. */
static void write_all(const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return;
        }
    }
}

static void answer(sim_control *k, bool ok)
{
    wm_buffer line;
    wm_buffer_init(&line);
    sim_json_raw(&line, ok ? "{\"ok\":true" : "{\"ok\":false,\"error\":");
    if (ok) wm_buffer_append(&line, k->answer.data, k->answer.len);
    else sim_json_string(&line, k->error, strlen(k->error));
    sim_json_raw(&line, "}\n");
    write_all(line.data, line.len);
    wm_buffer_close(&line);
}

static void run_line(sim_control *k, char *line)
{
    char *argv[ARGS_MAX], *rest = NULL;
    int argc = 0;
    bool fits = true;
    for (char *word = strtok_r(line, " \t\r", &rest); word != NULL; word = strtok_r(NULL, " \t\r", &rest)) {
        fits = argc < ARGS_MAX;
        if (!fits) break;
        argv[argc++] = word;
    }
    wm_buffer_clear(&k->answer);
    answer(k, fits ? run(k, argc, argv) : sim_control_fail(k, "too many arguments"));
}

void sim_control_feed(sim_control *k, const char *bytes, size_t len)
{
    wm_buffer_append(&k->input, bytes, len);
    size_t done = 0;
    while (!k->quit) {
        char *line = (char *)k->input.data + done;
        char *stop = k->input.len > done ? memchr(line, '\n', k->input.len - done) : NULL;
        if (stop == NULL) break;
        *stop = '\0';
        done = (size_t)(stop + 1 - (char *)k->input.data);
        run_line(k, line);
    }
    wm_buffer_consume(&k->input, done);
}

/* -- life -- */

void sim_control_token(const sim_options *o, char *out, size_t size)
{
    char payload[160];
    int64_t now_s = (int64_t)(sim_wall_ms() / 1000);
    snprintf(payload, sizeof payload, "{\"sub\":\"sim-user\",\"roles\":[\"ADMIN\",\"USER\"],\"iat\":%lld,\"exp\":%lld}",
             (long long)now_s, (long long)(now_s + TOKEN_LIFE_S));
    if (wm_jwt_sign(payload, o->secret, out, size) == 0) out[0] = '\0';
}

void sim_control_ready(sim_control *k)
{
    const sim_cluster *c = k->cluster;
    char token[1024];
    wm_buffer line;
    wm_buffer_init(&line);
    sim_control_token(c->options, token, sizeof token);
    sim_json_printf(&line, "{\"event\":\"ready\",\"dialect\":\"%s\",\"release\":\"%s\",\"hash\":\"%s\",\"secret\":",
                    c->dialect->name, c->dialect->release, sim_options_hash(c->options));
    sim_json_string(&line, c->options->secret, strlen(c->options->secret));
    sim_json_raw(&line, ",\"token\":");
    sim_json_string(&line, token, strlen(token));
    sim_json_raw(&line, ",\"nodes\":[");
    for (uint32_t i = 0; i < c->node_count; i++)
        sim_json_printf(&line, "%s{\"id\":\"%s\",\"url\":\"ws://127.0.0.1:%d\"}", i > 0 ? "," : "", c->nodes[i]->id,
                        c->nodes[i]->port);
    sim_json_raw(&line, "]}\n");
    write_all(line.data, line.len);
    wm_buffer_close(&line);
}

void sim_control_init(sim_control *k, sim_cluster *c)
{
    *k = (sim_control){.cluster = c};
}

void sim_control_close(sim_control *k)
{
    sim_control_close_injected(k);
    wm_buffer_close(&k->input);
    wm_buffer_close(&k->answer);
}
