#include "sim/control/sim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sim/control/control.h"
#include "sim/server/cluster.h"
#include "sim/session/dialect.h"

/* One run of the simulator. */
typedef struct run {
    uv_loop_t loop;
    sim_cluster *cluster;
    sim_control control;
    union {
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tty_t tty;
    } input;
    bool has_input;
    uv_signal_t interrupt;
    uv_signal_t terminate;
    bool ending;
} run;

static void end(run *r)
{
    if (r->ending) return;
    r->ending = true;
    if (r->has_input) uv_close((uv_handle_t *)&r->input, NULL);
    uv_close((uv_handle_t *)&r->interrupt, NULL);
    uv_close((uv_handle_t *)&r->terminate, NULL);
    sim_control_close(&r->control);
    sim_cluster_close(r->cluster);
}

static void on_signal(uv_signal_t *handle, int number)
{
    run *r = handle->data;
    if (number == SIGINT && r->cluster->options->control) return; /* Ctrl-C is the parent's to handle */
    end(r);
}

/* -- standard input -- */

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    run *r = stream->data;
    if (n > 0) sim_control_feed(&r->control, buf->base, (size_t)n);
    if (n < 0 || r->control.quit) end(r);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[65536];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

/* A file is at its end at once; its commands run before the loop does. */
static void read_file(run *r)
{
    char bytes[4096];
    ssize_t n;
    while (!r->control.quit && (n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        sim_control_feed(&r->control, bytes, (size_t)n);
    end(r);
}

static void open_input(run *r)
{
    uv_handle_type kind = uv_guess_handle(STDIN_FILENO);
    if (kind == UV_TTY) {
        r->has_input = uv_tty_init(&r->loop, &r->input.tty, STDIN_FILENO, 1) == 0;
    } else if (kind == UV_NAMED_PIPE) {
        uv_pipe_init(&r->loop, &r->input.pipe, 0);
        r->has_input = true;
        if (uv_pipe_open(&r->input.pipe, STDIN_FILENO) != 0) {
            end(r);
            return;
        }
    }
    if (!r->has_input) {
        read_file(r);
        return;
    }
    r->input.stream.data = r;
    uv_read_start(&r->input.stream, give_buffer, on_input);
}

/* -- start -- */

/* Load tests open thousands of connections. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void print_banner(const sim_cluster *c)
{
    char token[1024];
    const sim_options *o = c->options;
    sim_control_token(o, token, sizeof token);
    printf("A simulated TopGun cluster: %u node%s, as the %s server, keys hashed by %s.\n\n", c->node_count,
           c->node_count == 1 ? "" : "s", c->dialect->name, sim_options_hash(o));
    for (uint32_t i = 0; i < c->node_count; i++)
        printf("  %-8s ws://127.0.0.1:%d\n", c->nodes[i]->id, c->nodes[i]->port);
    if (o->no_auth) printf("\n  no token is needed\n");
    else printf("\n  secret   %s\n  token    %s\n", o->secret, token);
    printf("\nEverything is in memory and gone when this ends. Ctrl-C stops it.\n");
    fflush(stdout);
}

int wm_sim_run(const sim_options *options)
{
    run r = {.has_input = false};
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    uv_loop_init(&r.loop);
    r.cluster = sim_cluster_new(&r.loop, options);
    if (r.cluster == NULL) {
        uv_loop_close(&r.loop);
        return EXIT_FAILURE;
    }
    sim_control_init(&r.control, r.cluster);
    uv_signal_init(&r.loop, &r.interrupt);
    uv_signal_init(&r.loop, &r.terminate);
    r.interrupt.data = r.terminate.data = &r;
    uv_signal_start(&r.interrupt, on_signal, SIGINT);
    uv_signal_start(&r.terminate, on_signal, SIGTERM);
    if (options->control) {
        sim_control_ready(&r.control);
        open_input(&r);
    } else {
        print_banner(r.cluster);
    }
    uv_run(&r.loop, UV_RUN_DEFAULT);
    sim_cluster_free(r.cluster);
    uv_loop_close(&r.loop);
    return EXIT_SUCCESS;
}
