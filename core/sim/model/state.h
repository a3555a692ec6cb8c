#ifndef SIM_STATE_H
#define SIM_STATE_H
#include <uv.h>

#include "base/hlc.h"
#include "sim/model/faults.h"
#include "sim/model/names.h"
#include "sim/model/options.h"
#include "sim/model/stats.h"
#include "sim/model/store.h"
#include "sim/wire/delay.h"
#include "sim/wire/encoding.h"
#include "sim/wire/operation.h"

/* A simulated cluster, its nodes, and the sessions of their clients. */

struct sim_dialect;
struct sim_socket;
struct sim_subscription;
struct sim_subscriptions;
typedef struct sim_cluster sim_cluster;
typedef struct sim_node sim_node;

#define SIM_NO_NODE UINT16_MAX

/* A node's view of the cluster. Each node of a 0.11 cluster changes its own, up to options->spread_ms
 * apart. */
typedef struct sim_view {
    uint64_t members;  /* a bit for each node, by its index */
    uint16_t *owners;  /* by partition; SIM_NO_NODE when there is no member */
    uint16_t *backups; /* SIM_NO_NODE when there is none */
} sim_view;

/* A session is one client at one node: authentication, subscriptions, messages to be sent. Its transport
 * carries the frames. */

/* The transport of a session's frames: a socket, or memory for tests. */
typedef struct sim_transport {
    void (*frame)(void *transport, bool text, const uint8_t *bytes, size_t len);
    /* Sends a close frame (code 0: without a code), and ends the connection after the answer. Calls
     * sim_session_end then. */
    void (*close)(void *transport, int code, const char *reason);
    /* Ends the connection at once, by RST when `reset`; calls sim_session_end. */
    void (*drop)(void *transport, bool reset);
} sim_transport;

typedef struct sim_session {
    sim_node *node;
    struct sim_session *next;
    struct sim_session *prev;
    uint64_t number; /* from 1, in the order of opening, of the whole cluster */
    const sim_transport *transport;
    void *transport_data;
    struct sim_subscription *subscriptions;
    sim_delays delays;
    wm_buffer queue; /* 0.11: messages of a coming BATCH, each after its u32 LE length */
    uint32_t queued;
    bool flush_armed;
    bool authenticated;
    bool closing;  /* nothing is handled or sent any more */
    double tokens; /* of the rate limit, refilled up to tokens_at_ms */
    uint64_t tokens_at_ms;
    uint64_t last_ping_ms;
    uint64_t event_stamp; /* the last event that was sent here, so that none is sent twice */
} sim_session;

struct sim_node {
    sim_cluster *cluster;
    uint16_t index;
    char id[16];
    bool running;
    bool paused;
    bool member;    /* in the other nodes' view; follows `running` after the detection time */
    bool failed;    /* v2 lists lost members as FAILED until they return */
    int port;       /* of clients, 0 before the first start */
    int peer_port;  /* advertised on 0.11; bound, but nobody listens there */
    int port_guard; /* a socket that keeps `port` ours while the node is down */
    int peer_guard;
    sim_view view;
    uint64_t map_version;
    uint64_t pushed_version; /* version and owners of the last map that was pushed, for deltas */
    uint16_t *pushed_owners;
    uint64_t calls;     /* messages received; numbers acknowledgements that answer no batch */
    uv_tcp_t *listener; /* NULL when nothing listens */
    bool accept_waits;  /* a connection came while paused */
    sim_session *sessions;
    struct sim_socket *sockets; /* also those that are no session yet */
    uint32_t open;              /* sessions */
    sim_delays delays;
    wm_hlc clock;
    sim_store store;
    sim_faults faults;
    sim_stats stats;
};

struct sim_cluster {
    uv_loop_t *loop;
    const sim_options *options;
    const struct sim_dialect *dialect;
    sim_family family;
    uint32_t node_count;
    sim_node **nodes;
    uint16_t *owners; /* by partition, once every node has noticed all changes */
    uint16_t *backups;
    uint16_t *moved_to;        /* ordered owners, SIM_NO_NODE: as the rule says */
    const char *change_reason; /* of the last change: FAILOVER, JOIN, LEAVE, REBALANCE */
    bool sends_deltas;
    sim_names names;
    struct sim_subscriptions *subscriptions;
    sim_delays delays;
    uint64_t random;
    uint64_t event_stamp;
    uint64_t sessions;         /* opened so far */
    void (*kill)(sim_node *n); /* a node ends of its own: as SIGKILL */
    struct sim_socket *dirty;  /* sockets with something to flush */
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    wm_buffer frame; /* scratch: the frame being handled, in the dialect's encoding */
    wm_buffer out;   /* scratch: the message being written */
    wm_buffer text;  /* scratch: JSON */
    sim_op *ops;     /* scratch: the operations of a batch */
    uint32_t ops_cap;
};

/* Unix milliseconds. */
uint64_t sim_wall_ms(void);
/* A random number below `bound`, from the seed. */
uint32_t sim_random(sim_cluster *c, uint32_t bound);

sim_node *sim_cluster_find(const sim_cluster *c, const char *id);
/* Members of the cluster as its nodes believe. */
uint32_t sim_cluster_members(const sim_cluster *c);
/* Whether this was started as a cluster: its nodes behave so also when only one
 * is left. */
bool sim_cluster_is_one(const sim_cluster *c);
uint32_t sim_partition_of(const sim_cluster *c, uint32_t key_hash);
/* Whether the node is the partition's owner as it sees things itself. */
bool sim_node_owns(const sim_node *n, uint32_t partition);
/* Kills the node once the present call stack has returned. */
void sim_node_kill_soon(sim_node *n);
#endif
