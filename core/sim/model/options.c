#include "sim/model/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* How far apart the nodes of a real 0.11 cluster of three were seen to change their maps. */
#define SPREAD_0_11_MS 150
#define SPREAD_MS_MAX 60000
/* Server 2.2.0: 200 events of one batch arrived, of 1,000 some 230 to 470. */
#define EVENT_QUEUE_V2 256

static const char help[] =
    "wingman sim - a simulated TopGun cluster on this machine\n"
    "\n"
    "usage: wingman sim [OPTIONS]\n"
    "\n"
    "Runs until Ctrl-C. Keeps everything in memory: it imitates the protocol of the servers, with\n"
    "their faults, and is no database.\n"
    "\n"
    "  --nodes N          number of nodes, 1 to 64; default 3\n"
    "  --dialect D        v2 or 0.11: the server family to imitate; default v2\n"
    "  --hash H[,H,...]   the string hash for keys, fnv1a or xxh64: one for all nodes, or one for\n"
    "                     each; default fnv1a. v2 has fnv1a only\n"
    "  --ports A,B,C      ports for clients, one for each node; 0: the system chooses; default 0\n"
    "  --partitions N     number of partitions, 1 to 1024; default 271\n"
    "  --secret S         secret of the tokens (HS256); default: random, and printed\n"
    "  --no-auth          accept connections without a token\n"
    "  --rate N           v2 only: operations per second and connection, above which a node drops\n"
    "                     a frame and answers ERROR 429; default: no limit\n"
    "  --event-queue N    v2 only: events that may wait for a connection; a node drops those beyond\n"
    "                     them without a word, and never an answer. 0: any number; default 256\n"
    "  --detection-ms N   time that the other nodes take to notice a killed node; default 50\n"
    "  --spread-ms N      0.11 only: after a membership change each node updates its partition map\n"
    "                     at a random moment within this time; default 150\n"
    "  --seed N           seed of all random choices; default 1\n"
    "  --sink             read, count and acknowledge batches, but store nothing: for measuring\n"
    "                     load generators\n"
    "  --control          for programs: print one line of JSON when the cluster is ready, then read\n"
    "                     commands from standard input, one a line, and answer each with one line\n"
    "                     of JSON. Runs until the input ends\n"
    "  --help             print this text\n"
    "\n"
    "exit codes: 0 done, 1 a port cannot be used, 2 usage error\n";

static sim_options_result wrong(const char *option, const char *reason, const char *value)
{
    fprintf(stderr, "wingman sim: %s: %s", option, reason);
    if (value != NULL) fprintf(stderr, ", got '%s'", value);
    fputs("\n", stderr);
    return SIM_OPTIONS_WRONG;
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *stop;
    if (text[0] < '0' || text[0] > '9') return false;
    unsigned long long v = strtoull(text, &stop, 10);
    if (*stop != '\0' || v < min || v > max) return false;
    *out = v;
    return true;
}

static bool parse_ports(const char *text, int ports[SIM_NODES_MAX], uint32_t *count)
{
    for (uint32_t i = 0; i < SIM_NODES_MAX; i++) {
        char *stop;
        if (*text < '0' || *text > '9') return false;
        unsigned long v = strtoul(text, &stop, 10);
        if (v > 65535) return false;
        ports[i] = (int)v;
        *count = i + 1;
        if (*stop == '\0') return true;
        if (*stop != ',') return false;
        text = stop + 1;
    }
    return false;
}

static bool parse_hashes(const char *text, wm_hash_kind hashes[SIM_NODES_MAX], uint32_t *count)
{
    for (*count = 0; *count < SIM_NODES_MAX;) {
        size_t len = strcspn(text, ",");
        bool is_fnv1a = len == 5 && memcmp(text, "fnv1a", len) == 0;
        if (!is_fnv1a && !(len == 5 && memcmp(text, "xxh64", len) == 0)) return false;
        hashes[(*count)++] = is_fnv1a ? WM_HASH_FNV1A : WM_HASH_XXH64;
        if (text[len] == '\0') return true;
        text += len + 1;
    }
    return false;
}

/* One hash is that of all nodes. */
static bool spread_hashes(sim_options *o, uint32_t given)
{
    for (uint32_t i = given; given <= 1 && i < o->nodes; i++) o->hashes[i] = o->hashes[0];
    return given <= 1 || given == o->nodes;
}

const char *sim_options_hash(const sim_options *o)
{
    for (uint32_t i = 1; i < o->nodes; i++)
        if (o->hashes[i] != o->hashes[0]) return "mixed";
    return o->hashes[0] == WM_HASH_XXH64 ? "xxh64" : "fnv1a";
}

static const char *random_secret(void)
{
    static char secret[33];
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return "wingman-sim";
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(secret + i * 2, 3, "%02x", bytes[i]);
    return secret;
}

typedef struct parsed {
    sim_options *out;
    uint32_t ports; /* how many were given */
    uint32_t hashes;
    bool has_spread;
    bool has_event_queue;
} parsed;

/* An option with a value. */
static sim_options_result take(parsed *p, const char *name, const char *value)
{
    sim_options *o = p->out;
    uint64_t n;
    if (strcmp(name, "--nodes") == 0) {
        if (!parse_number(value, 1, SIM_NODES_MAX, &n)) return wrong(name, "expected 1 to 64", value);
        o->nodes = (uint32_t)n;
    } else if (strcmp(name, "--dialect") == 0) {
        if (strcmp(value, "v2") != 0 && strcmp(value, "0.11") != 0) return wrong(name, "expected v2 or 0.11", value);
        o->is_0_11 = strcmp(value, "0.11") == 0;
    } else if (strcmp(name, "--hash") == 0) {
        if (!parse_hashes(value, o->hashes, &p->hashes)) return wrong(name, "expected fnv1a or xxh64, or one for each node", value);
    } else if (strcmp(name, "--secret") == 0) {
        if (value[0] == '\0') return wrong(name, "must not be empty", NULL);
        o->secret = value;
    } else if (strcmp(name, "--ports") == 0) {
        if (!parse_ports(value, o->ports, &p->ports)) return wrong(name, "expected ports separated by commas", value);
    } else if (strcmp(name, "--partitions") == 0) {
        if (!parse_number(value, 1, SIM_PARTITIONS_MAX, &n)) return wrong(name, "expected 1 to 1024", value);
        o->partitions = (uint32_t)n;
    } else if (strcmp(name, "--rate") == 0) {
        if (!parse_number(value, 0, UINT32_MAX, &n)) return wrong(name, "expected operations a second", value);
        o->rate = (double)n;
    } else if (strcmp(name, "--event-queue") == 0) {
        if (!parse_number(value, 0, UINT32_MAX, &n)) return wrong(name, "expected a number of events", value);
        o->event_queue = (uint32_t)n;
        p->has_event_queue = true;
    } else if (strcmp(name, "--seed") == 0) {
        if (!parse_number(value, 0, UINT64_MAX, &o->seed)) return wrong(name, "expected a number", value);
    } else if (strcmp(name, "--detection-ms") == 0) {
        if (!parse_number(value, 0, 3600000, &o->detection_ms)) return wrong(name, "expected milliseconds", value);
    } else if (strcmp(name, "--spread-ms") == 0) {
        if (!parse_number(value, 0, SPREAD_MS_MAX, &o->spread_ms)) return wrong(name, "expected 0 to 60000 milliseconds", value);
        p->has_spread = true;
    } else {
        return wrong(name, "unknown option; see wingman sim --help", NULL);
    }
    return SIM_OPTIONS_RUN;
}

sim_options_result sim_options_parse(int argc, char **argv, sim_options *out)
{
    parsed p = {.out = out};
    *out = (sim_options){.nodes = 3, .partitions = 271, .hashes = {WM_HASH_FNV1A}, .seed = 1, .detection_ms = 50};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
            fputs(help, stdout);
            return SIM_OPTIONS_HELP;
        }
        if (strcmp(name, "--control") == 0) {
            out->control = true;
        } else if (strcmp(name, "--no-auth") == 0) {
            out->no_auth = true;
        } else if (strcmp(name, "--sink") == 0) {
            out->sink = true;
        } else if (name[0] != '-') {
            return wrong(name, "not an option; see wingman sim --help", NULL);
        } else {
            char *value = i + 1 < argc ? argv[++i] : NULL;
            if (value == NULL) return wrong(name, "a value is missing, or the option is unknown", NULL);
            if (take(&p, name, value) != SIM_OPTIONS_RUN) return SIM_OPTIONS_WRONG;
        }
    }
    if (!spread_hashes(out, p.hashes)) return wrong("--hash", "expected one hash, or one for each node", NULL);
    if (strcmp(sim_options_hash(out), "fnv1a") != 0 && !out->is_0_11) return wrong("--hash", "v2 servers always use fnv1a", NULL);
    if (out->rate > 0 && out->is_0_11) return wrong("--rate", "only v2 servers limit the rate", NULL);
    if (p.has_event_queue && out->is_0_11) return wrong("--event-queue", "only v2 servers drop events", NULL);
    if (!p.has_event_queue && !out->is_0_11) out->event_queue = EVENT_QUEUE_V2;
    if (p.has_spread && !out->is_0_11) return wrong("--spread-ms", "v2 nodes change their maps together", NULL);
    if (!p.has_spread && out->is_0_11) out->spread_ms = SPREAD_0_11_MS;
    if (p.ports > 0 && p.ports != out->nodes) return wrong("--ports", "expected one port for each node", NULL);
    if (out->secret == NULL) out->secret = random_secret();
    return SIM_OPTIONS_RUN;
}
