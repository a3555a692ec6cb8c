#include "sim/server/node.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/port_guard.h"
#include "sim/server/socket.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/session/session.h"
#include "sim/wire/alloc.h"
#include "wire/family_rules.h"

#define BACKLOG 1024
#define IDLE_CHECK_MS 5000
#define RETRY_AFTER_MS 5000

sim_node *sim_node_new(sim_cluster *c, uint16_t index, int port)
{
    sim_node *n = sim_alloc(sizeof *n);
    n->cluster = c;
    n->index = index;
    n->port = port;
    n->delays.loop = c->loop;
    n->pushed_owners = sim_alloc(c->options->partitions * sizeof *n->pushed_owners);
    n->view.owners = sim_alloc(c->options->partitions * sizeof *n->view.owners);
    n->view.backups = sim_alloc(c->options->partitions * sizeof *n->view.backups);
    n->store.hash = c->options->hashes[index];
    n->store.tree_count = c->dialect->has_partition_trees ? c->options->partitions : 0;
    snprintf(n->id, sizeof n->id, "node-%u", index + 1u);
    n->port_guard = wm_port_guard_open(&n->port, false);
    n->peer_guard = wm_port_guard_open(&n->peer_port, false);
    if (n->port_guard < 0 || n->peer_guard < 0) {
        fprintf(stderr, "wingman sim: %s: port %d of 127.0.0.1 cannot be used\n", n->id, port);
        sim_node_free(n);
        return NULL;
    }
    return n;
}

void sim_node_free(sim_node *n)
{
    if (n->port_guard >= 0) close(n->port_guard);
    if (n->peer_guard >= 0) close(n->peer_guard);
    sim_stats_reset(&n->stats);
    sim_backlog_clear(&n->backlog);
    sim_store_close(&n->store);
    free(n->pushed_owners);
    free(n->view.owners);
    free(n->view.backups);
    free(n);
}

/* -- listening -- */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_connection(uv_stream_t *listener, int status)
{
    sim_node *n = listener->data;
    if (status != 0) return;
    if (n->paused) n->accept_waits = true; /* libuv asks for no more until it is taken */
    else sim_socket_accept(n);
}

static int open_listener(sim_node *n)
{
    struct sockaddr_in address;
    uv_tcp_t *listener = sim_alloc(sizeof *listener);
    uv_tcp_init(n->cluster->loop, listener);
    listener->data = n;
    uv_ip4_addr("127.0.0.1", n->port, &address);
    wm_port_guard_share(n->port_guard, true);
    int rc = uv_tcp_bind(listener, (struct sockaddr *)&address, 0);
    if (rc == 0) rc = uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
    wm_port_guard_share(n->port_guard, false);
    if (rc != 0) uv_close((uv_handle_t *)listener, free_handle);
    else n->listener = listener;
    return rc;
}

int sim_node_update_listener(sim_node *n)
{
    bool wanted = n->running && !n->faults.refuse;
    if (wanted && n->listener == NULL) return open_listener(n);
    if (!wanted && n->listener != NULL) {
        uv_close((uv_handle_t *)n->listener, free_handle);
        n->listener = NULL;
        n->accept_waits = false;
    }
    return 0;
}

/* -- life -- */

/* Ends the sessions that have been silent for too long at `now` (Unix milliseconds). */
static void end_idle(sim_node *n, uint64_t now)
{
    const sim_dialect *d = n->cluster->dialect;
    for (sim_session *s = n->sessions, *next; s != NULL && !n->paused; s = next) {
        next = s->next;
        bool is_idle = d->idle_ms > 0 && now > s->last_ping_ms + d->idle_ms;
        if (sim_session_ready(s) && is_idle) sim_session_close(s, d->idle_code, d->idle_reason);
        else if (!sim_session_ready(s) && d->auth_ms > 0 && now > s->opened_ms + d->auth_ms)
            s->transport->drop(s->transport_data, false);
    }
}

static void check_idle(void *owner, const uint8_t *bytes, size_t len)
{
    sim_node *n = owner;
    (void)bytes;
    (void)len;
    end_idle(n, sim_wall_ms());
    sim_delay_call(&n->delays, IDLE_CHECK_MS, check_idle, n, NULL, 0);
}

void sim_node_idle(sim_node *n, uint64_t ms)
{
    end_idle(n, sim_wall_ms() + ms);
}

int sim_node_start(sim_node *n)
{
    n->running = true;
    int rc = sim_node_update_listener(n);
    if (rc != 0) {
        n->running = false;
        return rc;
    }
    n->clock = (wm_hlc){0};
    n->calls = 0;
    if (n->cluster->dialect->idle_ms > 0) sim_delay_call(&n->delays, IDLE_CHECK_MS, check_idle, n, NULL, 0);
    return 0;
}

static void say_goodbye(sim_node *n)
{
    sim_cluster *c = n->cluster;
    if (c->family == SIM_FAMILY_V2) return; /* its connections just end */
    wm_buffer *b = sim_begin(c, WM_TYPE_SHUTDOWN_PENDING, 1);
    sim_put_text(b, "retryAfter");
    sim_put_uint(b, c->family, RETRY_AFTER_MS);
    for (sim_session *s = n->sessions; s != NULL; s = s->next) {
        sim_session_send_now(s, b);
        sim_session_close(s, 1001, "Server Shutdown");
    }
}

/* What disk storage does not take was in memory only. */
static bool is_discarded(const sim_name *map)
{
    return !wm_v2_stores_map(map->text, map->len);
}

void sim_node_end(sim_node *n, bool graceful)
{
    bool waits_for_close = graceful && n->cluster->family == SIM_FAMILY_0_11;
    if (graceful) say_goodbye(n);
    n->running = false;
    n->paused = false;
    sim_node_update_listener(n);
    sim_delays_cancel(&n->delays);
    if (!waits_for_close) sim_sockets_drop(n, SIM_ALL_SESSIONS, !graceful);
    for (sim_session *s = n->sessions, *next; s != NULL; s = next) {
        next = s->next;
        if (!s->closing) s->transport->drop(s->transport_data, !graceful); /* in memory only */
    }
    /* A 0.11 server is memory only; a v2 server of 2.2.0 has a database file, but
     * nothing reads it: after a restart queries and trees are empty. */
    if (n->cluster->dialect->keeps_records) sim_store_forget(&n->store, is_discarded);
    else sim_store_close(&n->store);
    sim_backlog_clear(&n->backlog);
}

void sim_node_prune(sim_node *n, uint64_t millis)
{
    wm_timestamp older_than = {.millis = millis, .node = n->id, .node_len = strlen(n->id)};
    sim_store_prune(&n->store, &older_than);
    for (sim_session *s = n->sessions; s != NULL; s = s->next) {
        wm_buffer *b = sim_begin_payload(n->cluster, WM_TYPE_GC_PRUNE, 1);
        sim_put_text(b, "olderThan");
        sim_put_timestamp(b, n->cluster->family, millis, 0, n->id, older_than.node_len);
        sim_session_send(s, b);
    }
}

void sim_node_pause(sim_node *n)
{
    n->paused = true;
    sim_sockets_pause(n);
}

void sim_node_resume(sim_node *n)
{
    n->paused = false;
    sim_sockets_resume(n);
    if (n->accept_waits) {
        n->accept_waits = false;
        sim_socket_accept(n);
    }
}
