/* The executable: chooses the command. Its help explains the exit codes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/commands.h"
#include "relay/relay.h"

typedef struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
} command;

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("wingman %s\n", WINGMAN_VERSION);
    return HOST_OK;
}

static const command commands[] = {
    {"run", "SCRIPT [ARGS]", "run a Lua script; - reads it from standard input", host_run},
    {"bench", "URL", "load-test a cluster without a script", host_bench},
    {"repl", "[URL]", "open an interactive Lua prompt", host_repl},
    {"ctl", "PATH ORDER", "control a running load test (--control PATH)", host_ctl},
    {"sim", "[OPTIONS]", "run a simulated cluster", host_sim},
    {"probe", "URL...", "print the server family, id and partition map of nodes", host_probe},
    {"report", "show|diff|merge", "show, compare and merge reports of load tests", host_report},
    {"oplog", "inspect|salvage", "examine the file of an op log, recover a damaged one", host_oplog},
    {"keep-awake", "", "keep the processors of a virtual machine from halting", host_keep_awake},
    {"relay", "COUNT", "relay traffic between real nodes (used by topgun://N)", wm_relay_main},
    {"version", "", "print the version", version},
};

static void usage(FILE *out)
{
    fputs("usage: wingman COMMAND [ARGS]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  %-10s %-15s %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
    fputs("\nSee also: wingman COMMAND --help\n"
          "exit codes: 0 done, 1 the script or the cluster failed, 2 usage error,\n"
          "130 interrupted, 143 terminated\n",
          out);
}

/* Reports a wrong command, with the nearest one. */
static void complain(const char *wrong)
{
    const char *names[sizeof commands / sizeof *commands];
    size_t count = 0;
    for (; count < sizeof commands / sizeof *commands; count++) names[count] = commands[count].name;
    char hint[128];
    host_hint(wrong, names, count, hint, sizeof hint);
    fprintf(stderr, "wingman: '%s' is not a command%s\n\n", wrong, hint);
}

/* The descriptor of a closed standard stream would be given to the next file or socket. So such a stream
 * is opened as /dev/null in the other direction: using it still fails with EBADF. */
static void keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
        int got = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (got > STDERR_FILENO) close(got);
    }
}

int main(int argc, char **argv)
{
    keep_standard_streams();
    if (argc < 2) {
        usage(stderr);
        return HOST_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        usage(stdout);
        return HOST_OK;
    }
    if (strcmp(name, "--version") == 0) return version(0, NULL);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    complain(name);
    usage(stderr);
    return HOST_USAGE;
}
