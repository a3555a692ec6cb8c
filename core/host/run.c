/* `wingman run` and `wingman bench`: lua/wingman/command/run.lua and bench.lua beside it do it. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "host/commands.h"
#include "host/lua_state.h"
#include "host/workers.h"

static const char help[] =
    "usage: wingman run [OPTIONS] SCRIPT [ARGS]\n\n"
    "Runs a Lua script (LuaJIT) that can require \"wingman\". SCRIPT - is standard input. The\n"
    "script gets ARGS as `...` and in the global table `arg`. A number that it returns is the\n"
    "exit code.\n\n"
    "SIGINT (Ctrl-C), SIGTERM and SIGHUP drain every client first: what was written is sent, and\n"
    "its acknowledgements are awaited for up to 10 s. What is unacknowledged then is reported, by\n"
    "cause. A second signal ends the process at once. A script can change that with\n"
    "wingman.interrupt.\n\n"
    "exit codes: 0 done, 1 the script failed, 2 usage error or no such script, 130 interrupted\n"
    "(SIGINT), 143 terminated (SIGTERM), 129 hung up (SIGHUP)\n\n"
    "Defaults for every client of the script:\n\n"
    "  --token-file FILE  authenticate with the token in the first line of FILE (default: the\n"
    "                     variable WINGMAN_TOKEN); sim:// and topgun:// need none\n"
    "  --ca-file FILE     certificate authorities for wss://, PEM (default: the system's)\n"
    "  --cert-file FILE   certificate of this client for wss://, PEM\n"
    "  --key-file FILE    private key of that certificate, PEM\n"
    "  --proxy URL        http://[user:password@]host:port, or \"none\"; default: http_proxy,\n"
    "                     https_proxy or all_proxy of the environment, except for loopback and\n"
    "                     for the hosts in no_proxy\n"
    "  --insecure-skip-verify\n"
    "                     accept any certificate: for tests only\n\n"
    "Options for a script that returns a load test (require \"wingman.load\"):\n\n"
    "  --out FORMAT=FILE  write the report as json, csv, hgrm, junit, html, svg, text or\n"
    "                     prometheus; may be repeated\n"
    "  --workers N        run N threads, one core each\n"
    "  --policy FILE      policies: a Lua file that returns { routing = ..., reconnect = ...,\n"
    "                     circuit = ..., endpoint = ... }\n"
    "  --seed N           seed of all random choices; default 1\n"
    "  --shard I/N        run part I (from 0) of N, on one of N machines; default in indexed jobs\n"
    "                     of Kubernetes, arrays of Slurm and ranks of MPI: their index.\n"
    "                     {shard} in FILE stands for I\n"
    "  --start-at TIME    begin at TIME (Unix seconds, or +DURATION such as +10s), so that all\n"
    "                     shards begin together\n"
    "  --control PATH     listen for orders at a socket, see wingman ctl\n"
    "  --attach PATH      listen for prompts at a socket, see wingman repl --attach\n"
    "  --prometheus ADDR  serve metrics over HTTP, e.g. at :9464\n"
    "  --keep-awake       keep the processors from halting, see wingman keep-awake; for a virtual\n"
    "                     machine that only the load generator uses\n"
    "  --strict           fail when the generator was late or dropped iterations; for shards, see\n"
    "                     wingman report merge --strict\n"
    "  --quiet            print errors and the verdict only\n\n"
    "exit codes of load tests: 0 passed, 99 a threshold failed, 98 --strict and the generator was\n"
    "late or dropped iterations, 3 no connection, 1 also when a planned fault failed or nothing\n"
    "was measured; others as above\n";

/* Runs the main function of a module that may run a load test, in a Lua state of its own. */
static int run_module(const char *name, const char *module, int argc, char **argv)
{
    lua_State *L = host_lua_new();
    if (L == NULL) return HOST_FAILED;
    host_lua_set_args(L, name, argc - 1, argv + 1);
    lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_pushcfunction(L, host_open_workers);
    lua_setfield(L, -2, "wingman.workers");
    lua_pop(L, 1);
    int code = HOST_FAILED;
    const char *chunk = lua_pushfstring(L, "return require('%s').main(arg)", module);
    if (luaL_loadstring(L, chunk) == 0) code = host_lua_call(L, 0);
    fflush(stdout);
    lua_close(L);
    return code;
}

int host_bench(int argc, char **argv)
{
    return run_module("bench", "wingman.command.bench", argc, argv);
}

int host_run(int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return HOST_OK;
    }
    if (argc < 2) {
        fputs(help, stderr);
        return HOST_USAGE;
    }
    return run_module("run", "wingman.command.run", argc, argv);
}
