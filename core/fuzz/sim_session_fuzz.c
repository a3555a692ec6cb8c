/* Any frames from a client to a node of the simulated cluster, in both families:
 * none of them harms it, and what it answers is the protocol.
 *
 * Input: one byte (bit 0: the family, bit 1: authenticated, bit 2: one node only);
 * then frames of two bytes (length, little-endian; the highest bit: text) and the
 * bytes themselves. */
#include <string.h>

#include "fuzz/require.h"
#include "sim/model/state.h"
#include "sim/model/subscription.h"
#include "sim/server/cluster.h"
#include "sim/server/dispatch.h"
#include "sim/session/session.h"
#include "sim/wire/json.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define SECRET "topgun-secret-dev"

static uv_loop_t loop;
static sim_options options[4];
static sim_cluster *clusters[4];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    uv_loop_init(&loop);
    for (int i = 0; i < 4; i++) {
        options[i] = (sim_options){
            .nodes = i & 2 ? 1 : 2,
            .partitions = 7,
            .is_0_11 = i & 1,
            .hashes = {WM_HASH_FNV1A, WM_HASH_FNV1A},
            .secret = SECRET,
            .seed = 1,
            .detection_ms = 50,
        };
        clusters[i] = sim_cluster_new(&loop, &options[i]);
        REQUIRE(clusters[i] != NULL);
    }
    return 0;
}

/* -- the other end -- */

static int each(void *user, const uint8_t *frame, size_t len)
{
    wm_message m;
    (void)user;
    return wm_message_parse(frame, len, &m);
}

/* Values of clients come back inside other maps: only their depth may be too much
 * for whoever reads them. */
static void transport_frame(void *transport, bool text, const uint8_t *bytes, size_t len)
{
    (void)transport;
    if (text) {
        wm_buffer decoded;
        wm_buffer_init(&decoded);
        REQUIRE(sim_json_to_msgpack((const char *)bytes, len, &decoded));
        wm_buffer_close(&decoded);
        return;
    }
    int result = wm_message_unbatch(bytes, len, each, NULL);
    REQUIRE(result == 0 || result == WM_MP_EDEPTH);
}

static void transport_close(void *transport, int code, const char *reason)
{
    (void)transport;
    (void)code;
    REQUIRE(reason != NULL);
}

static void transport_drop(void *transport, bool reset)
{
    sim_session **session = transport;
    (void)reset;
    sim_session_end(*session);
    *session = NULL;
}

static const sim_transport fuzz_transport = {transport_frame, transport_close, transport_drop};

/* As if the cluster had just been started: each input stands for itself. */
static void forget(sim_cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        sim_node *n = c->nodes[i];
        sim_delays_cancel(&n->delays);
        sim_store_close(&n->store);
        sim_stats_reset(&n->stats);
        n->clock = (wm_hlc){0};
        n->calls = 0;
    }
    sim_delays_cancel(&c->delays);
    sim_subscriptions_close(c->subscriptions);
    sim_names_close(&c->names);
    uv_run(&loop, UV_RUN_NOWAIT); /* closes the handles of the delays */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    sim_cluster *c = clusters[(data[0] & 1) | (data[0] >> 1 & 2)];
    sim_session *sender = sim_session_open(c->nodes[0], &fuzz_transport, &sender);
    /* Hears of what the other one does, when it subscribes to anything. */
    sim_session *listener = sim_session_open(c->nodes[c->node_count - 1], &fuzz_transport, &listener);
    sender->authenticated = listener->authenticated = data[0] & 2;
    size_t at = 1;
    for (int turn = 0; size - at >= 2 && sender != NULL && listener != NULL; turn++) {
        size_t len = (size_t)data[at] | (size_t)(data[at + 1] & 0x7f) << 8;
        bool text = data[at + 1] & 0x80;
        at += 2;
        if (len > size - at) len = size - at;
        sim_session_receive(turn % 4 == 3 ? listener : sender, text, data + at, len);
        at += len;
    }
    for (int i = 0; i < 2; i++) {
        sim_session *s = i == 0 ? sender : listener;
        if (s == NULL) continue;
        sim_session_close(s, 1000, "");
        sim_session_end(s);
    }
    forget(c);
    return 0;
}
