#include "relay/relay.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/buffer.h"
#include "os/port_guard.h"

static const char help[] =
    "usage: wingman relay [--heartbeats] COUNT\n\n"
    "Forwards TCP connections on this machine, with a pause after each of the first frames.\n"
    "topgun://N puts it between the nodes of a cluster. It listens at COUNT free ports, 1 to\n"
    "64, and chooses a free port as the target of each. Prints one line of JSON:\n"
    "{\"ports\":[{\"listen\":P,\"target\":P},...]}. Runs until its standard input ends.\n\n"
    "  --heartbeats  forward the nodes' heartbeats, too. Without them a busy node is not suspected\n"
    "                of having died; the end of its connection is noticed all the same\n\n"
    "exit codes: 0 done, 1 no port can be opened, 2 usage error\n";

enum {
    RELAYS_MAX = 64,
    PACED_FRAMES = 4, /* the handshake of the server's cluster protocol takes three */
    PAUSE_MS = 20,
    HEAD_BYTES = 4,      /* of a frame: its length, big-endian */
    FRAME_MAX = 8 << 20, /* bytes; the server refuses longer ones */
    QUEUE_MAX = 1 << 20, /* bytes that wait for a slow reader before its peer is read no more */
};

/* How a heartbeat goes on after the byte that begins its MessagePack map. */
static const uint8_t heartbeat_type[] = "\xa4type\xa9HEARTBEAT";

static bool forwards_heartbeats;

typedef struct hop hop;

/* One direction: what `from` sends goes to `to`. */
typedef struct direction {
    hop *hop;
    uv_tcp_t *from;
    uv_tcp_t *to;
    uv_timer_t pause;
    wm_buffer waiting;
    uint32_t frames; /* paced ones so far */
    bool pausing;
    bool ended;   /* the sender is at its end */
    bool stopped; /* reading stopped: the receiver is slow */
} direction;

/* A connection and its continuation. */
struct hop {
    uv_tcp_t client;
    uv_tcp_t server;
    uv_connect_t connecting;
    direction up;
    direction down;
    int handles; /* open ones; the memory goes with the last */
    bool closing;
};

typedef struct relay {
    uv_tcp_t listener;
    int listen_port;
    int target_port;
} relay;

typedef struct write_request {
    uv_write_t request;
    direction *direction;
    uint8_t bytes[];
} write_request;

/* -- end of a hop -- */

static void on_handle_closed(uv_handle_t *handle)
{
    hop *h = handle->data;
    if (--h->handles > 0) return;
    wm_buffer_close(&h->up.waiting);
    wm_buffer_close(&h->down.waiting);
    free(h);
}

static void end(hop *h)
{
    if (h->closing) return;
    h->closing = true;
    uv_close((uv_handle_t *)&h->client, on_handle_closed);
    uv_close((uv_handle_t *)&h->server, on_handle_closed);
    uv_close((uv_handle_t *)&h->up.pause, on_handle_closed);
    uv_close((uv_handle_t *)&h->down.pause, on_handle_closed);
}

/* -- one direction -- */

static void forward(direction *d);

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    static char bytes[65536];
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    hop *h = stream->data;
    direction *d = stream == (uv_stream_t *)&h->client ? &h->up : &h->down;
    if (n > 0) wm_buffer_append(&d->waiting, buf->base, (size_t)n);
    else if (n < 0) d->ended = true;
    if (d->waiting.failed) end(h);
    else if (n != 0) forward(d);
}

static void on_written(uv_write_t *request, int status)
{
    write_request *w = (write_request *)request;
    direction *d = w->direction;
    free(w);
    if (d->hop->closing) return;
    if (status < 0) {
        end(d->hop);
    } else if (d->stopped && uv_stream_get_write_queue_size((uv_stream_t *)d->to) < QUEUE_MAX / 2) {
        d->stopped = false;
        uv_read_start((uv_stream_t *)d->from, give_buffer, on_read);
    }
}

static bool send_on(direction *d, size_t len)
{
    write_request *w = malloc(sizeof *w + len);
    if (w == NULL) return false;
    w->direction = d;
    memcpy(w->bytes, d->waiting.data, len);
    wm_buffer_consume(&d->waiting, len);
    uv_buf_t buf = uv_buf_init((char *)w->bytes, (unsigned)len);
    if (uv_write(&w->request, (uv_stream_t *)d->to, &buf, 1, on_written) != 0) {
        free(w);
        return false;
    }
    if (!d->stopped && uv_stream_get_write_queue_size((uv_stream_t *)d->to) > QUEUE_MAX) {
        d->stopped = true;
        uv_read_stop((uv_stream_t *)d->from);
    }
    return true;
}

static void on_pause_over(uv_timer_t *timer)
{
    hop *h = timer->data;
    direction *d = timer == &h->up.pause ? &h->up : &h->down;
    d->pausing = false;
    forward(d);
}

/* The length of the frame at the front, with its head; 0 when it is incomplete. What can be no
 * frame is forwarded as it is. */
static size_t whole_frame(const wm_buffer *b)
{
    if (b->len < HEAD_BYTES) return 0;
    size_t len = (size_t)b->data[0] << 24 | (size_t)b->data[1] << 16 | (size_t)b->data[2] << 8 | b->data[3];
    if (len > FRAME_MAX) return b->len;
    return b->len >= HEAD_BYTES + len ? HEAD_BYTES + len : 0;
}

static bool is_heartbeat(const uint8_t *frame, size_t len)
{
    const size_t type_len = sizeof heartbeat_type - 1;
    return len > HEAD_BYTES + type_len && memcmp(frame + HEAD_BYTES + 1, heartbeat_type, type_len) == 0;
}

static void pace(direction *d)
{
    if (d->frames == PACED_FRAMES) return;
    d->frames++;
    d->pausing = true;
    uv_timer_start(&d->pause, on_pause_over, PAUSE_MS, 0);
}

static void forward(direction *d)
{
    size_t len;
    while (!d->hop->closing && !d->pausing && (len = whole_frame(&d->waiting)) > 0) {
        if (!forwards_heartbeats && is_heartbeat(d->waiting.data, len)) {
            wm_buffer_consume(&d->waiting, len);
            continue;
        }
        pace(d);
        if (!send_on(d, len)) end(d->hop);
    }
    if (!d->hop->closing && d->ended && !d->pausing) end(d->hop);
}

static void init_direction(direction *d, hop *h, uv_tcp_t *from, uv_tcp_t *to)
{
    *d = (direction){.hop = h, .from = from, .to = to};
    wm_buffer_init(&d->waiting);
    uv_timer_init(from->loop, &d->pause);
    d->pause.data = h;
}

/* -- connections -- */

static void on_connected(uv_connect_t *request, int status)
{
    hop *h = request->data;
    if (h->closing) return;
    if (status != 0) {
        end(h);
        return;
    }
    uv_tcp_nodelay(&h->client, 1);
    uv_tcp_nodelay(&h->server, 1);
    uv_read_start((uv_stream_t *)&h->client, give_buffer, on_read);
    uv_read_start((uv_stream_t *)&h->server, give_buffer, on_read);
}

static void on_connection(uv_stream_t *listener, int status)
{
    relay *r = listener->data;
    hop *h = status == 0 ? calloc(1, sizeof *h) : NULL;
    if (h == NULL) return;
    uv_tcp_init(listener->loop, &h->client);
    uv_tcp_init(listener->loop, &h->server);
    h->client.data = h->server.data = h->connecting.data = h;
    init_direction(&h->up, h, &h->client, &h->server);
    init_direction(&h->down, h, &h->server, &h->client);
    h->handles = 4;
    struct sockaddr_in to;
    uv_ip4_addr("127.0.0.1", r->target_port, &to);
    if (uv_accept(listener, (uv_stream_t *)&h->client) != 0 ||
        uv_tcp_connect(&h->connecting, &h->server, (struct sockaddr *)&to, on_connected) != 0)
        end(h);
}

static int local_port(const uv_tcp_t *tcp)
{
    struct sockaddr_in name;
    int len = sizeof name;
    return uv_tcp_getsockname(tcp, (struct sockaddr *)&name, &len) == 0 ? ntohs(name.sin_port) : -1;
}

/* Listens on a free port. 0 or a libuv error. */
static int listen_anywhere(uv_loop_t *loop, uv_tcp_t *tcp, uv_connection_cb on)
{
    struct sockaddr_in any;
    uv_ip4_addr("127.0.0.1", 0, &any);
    uv_tcp_init(loop, tcp);
    int rc = uv_tcp_bind(tcp, (struct sockaddr *)&any, 0);
    return rc != 0 ? rc : uv_listen((uv_stream_t *)tcp, 128, on);
}

/* -- the process -- */

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0) uv_stop(stream->loop);
}

/* The targets' ports are kept for the servers that will listen there, until the process ends. */
static int open_relays(uv_loop_t *loop, relay *relays, int count)
{
    int rc = 0;
    for (int i = 0; i < count && rc == 0; i++) {
        if (wm_port_guard_open(&relays[i].target_port, true) < 0) return UV_EADDRINUSE;
        rc = listen_anywhere(loop, &relays[i].listener, on_connection);
        relays[i].listener.data = &relays[i];
        relays[i].listen_port = local_port(&relays[i].listener);
    }
    return rc;
}

/* A timer belongs to a hop, which closes all of its own. */
static void end_hop_of(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (handle->type == UV_TIMER) end(handle->data);
}

static void close_rest(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void close_all(uv_loop_t *loop)
{
    uv_walk(loop, end_hop_of, NULL);
    uv_walk(loop, close_rest, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
}

int wm_relay_main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    forwards_heartbeats = argc == 3 && strcmp(argv[1], "--heartbeats") == 0;
    int count = argc == 2 || forwards_heartbeats ? atoi(argv[argc - 1]) : 0;
    if (count < 1 || count > RELAYS_MAX) {
        fputs(help, stderr);
        return 2;
    }
    static relay relays[RELAYS_MAX];
    uv_loop_t loop;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C is the parent's to handle */
    uv_loop_init(&loop);
    int rc = open_relays(&loop, relays, count);
    if (rc != 0) {
        fprintf(stderr, "wingman relay: cannot listen: %s\n", uv_strerror(rc));
        close_all(&loop);
        return EXIT_FAILURE;
    }
    printf("{\"ports\":[");
    for (int i = 0; i < count; i++)
        printf("%s{\"listen\":%d,\"target\":%d}", i ? "," : "", relays[i].listen_port, relays[i].target_port);
    puts("]}");
    fflush(stdout);
    uv_pipe_t input;
    uv_pipe_init(&loop, &input, 0);
    /* A file, /dev/null for one, cannot be polled; it is at its end at once. */
    if (uv_guess_handle(STDIN_FILENO) != UV_FILE && uv_pipe_open(&input, STDIN_FILENO) == 0) {
        uv_read_start((uv_stream_t *)&input, give_buffer, on_input);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    close_all(&loop);
    return EXIT_SUCCESS;
}
