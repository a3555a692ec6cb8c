#ifndef SIM_STATE_H
#define SIM_STATE_H
#include <uv.h>

#include "base/hlc.h"
#include "sim/model/backlog.h"
#include "sim/model/faults.h"
#include "sim/model/frozen_tree.h"
#include "sim/model/names.h"
#include "sim/model/options.h"
#include "sim/model/stats.h"
#include "sim/model/store.h"
#include "sim/wire/delay.h"
#include "sim/wire/encoding.h"
#include "sim/wire/operation.h"
#include "wire/message_type.h"

/* The state of a simulated cluster, of its nodes, and of their clients' sessions. */

struct sim_dialect;
struct sim_socket;
struct sim_subscription;
struct sim_subscriptions;
typedef struct sim_cluster sim_cluster;
typedef struct sim_node sim_node;

#define SIM_NO_NODE UINT16_MAX

/* A node's view of the cluster: what its partition map says. After a change the nodes of a 0.11
 * cluster update their views at different moments, within options->spread_ms. */
typedef struct sim_view {
    uint64_t members;  /* a bit for each node, by its index */
    uint16_t *owners;  /* a node's index by partition; SIM_NO_NODE when there is no member */
    uint16_t *backups; /* the same; SIM_NO_NODE when there is no backup */
} sim_view;

/* The transport of a session's frames: a socket, or memory for tests. */
typedef struct sim_transport {
    /* Sends one frame, text or binary; copies the bytes. */
    void (*frame)(void *transport, bool text, const uint8_t *bytes, size_t len);
    /* Sends a close frame (code 0: without a code). Ends the connection when the client has answered
     * it, or after a second, and calls sim_session_end then. */
    void (*close)(void *transport, int code, const char *reason);
    /* Ends the connection at once, by RST when `reset`; calls sim_session_end. */
    void (*drop)(void *transport, bool reset);
} sim_transport;

/* A session: one client at one node, with its authentication, subscriptions and messages to send. */
typedef struct sim_session {
    sim_node *node;
    struct sim_session *next;
    struct sim_session *prev;
    uint64_t number; /* of all sessions of the cluster, from 1 in the order of opening */
    const sim_transport *transport;
    void *transport_data;
    struct sim_subscription *subscriptions;
    sim_delays delays;
    wm_buffer queue; /* 0.11: messages of the next BATCH, each after its length (u32, little-endian) */
    uint32_t queued; /* messages in `queue` */
    bool flush_armed;
    bool authenticated;
    bool closing;          /* nothing is handled or sent any more */
    double tokens;         /* of the rate limit's token bucket: operations that it allows now */
    uint64_t tokens_at_ms; /* when the bucket was last refilled */
    uint64_t opened_ms;
    uint64_t last_ping_ms;
    uint64_t event_stamp;                    /* of the last event that was sent here, so that none is sent twice */
    uint32_t events_waiting;                 /* events sent since the transport was last empty */
    uint32_t carried[WM_MESSAGE_TYPE_COUNT]; /* messages that the client sent, by type */
    sim_frozen_tree *trees;                  /* head: of the maps that were asked for here */
    uint64_t held_until_ms;                  /* head, of the loop's clock: requests wait until then */
    uint32_t drops_in_a_row;                 /* events dropped since one was sent */
} sim_session;

struct sim_node {
    sim_cluster *cluster;
    uint16_t index;
    char id[16];
    bool running;
    bool paused;
    bool member;    /* the other nodes take it for running: true until detection_ms after a kill */
    bool failed;    /* was killed and has not returned: v2 lists it as FAILED */
    int port;       /* for clients */
    int peer_port;  /* which 0.11 advertises in place of `port`; bound, but nobody listens there */
    int port_guard; /* keeps `port` while the node is down: see os/port_guard.h */
    int peer_guard; /* the same for `peer_port` */
    sim_view view;
    uint64_t map_version;
    uint64_t pushed_version; /* of the last map that was pushed: deltas start from it */
    uint16_t *pushed_owners; /* of the same map */
    uint64_t calls;          /* messages received since the start; the ids of v2's unmatched acknowledgements */
    uv_tcp_t *listener;      /* NULL when nothing listens */
    bool accept_waits;       /* a TCP connection came while the node was paused */
    sim_session *sessions;
    struct sim_socket *sockets; /* TCP connections, also those before the upgrade */
    uint32_t open;              /* number of sessions */
    sim_delays delays;
    wm_hlc clock;
    sim_store store;
    sim_faults faults;
    sim_backlog backlog;
    sim_stats stats;
};

struct sim_cluster {
    uv_loop_t *loop;
    const sim_options *options;
    const struct sim_dialect *dialect;
    sim_family family;
    uint32_t node_count;
    sim_node **nodes;
    uint16_t *owners;          /* by partition: the placement that the nodes' views follow */
    uint16_t *backups;         /* the same */
    uint16_t *moved_to;        /* by partition: the owner that `move` ordered, SIM_NO_NODE for none */
    const char *change_reason; /* of the last change: FAILOVER, JOIN, LEAVE, REBALANCE */
    bool sends_deltas;
    sim_names names;
    struct sim_subscriptions *subscriptions;
    sim_delays delays;
    uint64_t random;
    uint64_t event_stamp;      /* number of the last round of events, see live.h */
    uint64_t sessions;         /* opened so far */
    void (*kill)(sim_node *n); /* sim_cluster_kill, which is on a higher floor */
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
/* A pseudo-random number of 0 to bound - 1; options->seed determines the sequence. */
uint32_t sim_random(sim_cluster *c, uint32_t bound);

/* The node with this id; NULL when there is none. */
sim_node *sim_cluster_find(const sim_cluster *c, const char *id);
/* How many nodes are members. */
uint32_t sim_cluster_members(const sim_cluster *c);
/* Whether the simulator was started with several nodes. Its nodes behave as a cluster's then, also
 * when only one is left; a single node behaves otherwise. */
bool sim_cluster_is_multi_node(const sim_cluster *c);
uint32_t sim_partition_of(const sim_cluster *c, uint32_t key_hash);
/* Whether the node owns the partition in its own view. */
bool sim_node_owns(const sim_node *n, uint32_t partition);
/* Kills the node from the loop, after the present callback has returned. */
void sim_node_kill_soon(sim_node *n);
#endif
