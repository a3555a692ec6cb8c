/* `wingman run` and `wingman bench`: lua/wingman/command/run.lua and bench.lua beside it do it. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "host/commands.h"
#include "host/lua_state.h"
#include "host/workers.h"

static const char help[] =
    "usage: wingman run [OPTIONS] SCRIPT [ARGS]\n\n"
    "Runs a Lua script (LuaJIT) in which require \"wingman\" works. SCRIPT - reads it\n"
    "from standard input. ARGS are the global `arg` and `...`. A number that the\n"
    "script returns is the exit code.\n\n"
    "SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal went away; not under nohup) first\n"
    "send what was written and wait up to 10 s for its acknowledgements, for every open\n"
    "client; what is still unacknowledged then is reported, by cause. A second signal ends\n"
    "at once. A script can do otherwise: require \"wingman.interrupt\".\n\n"
    "exit codes: 0 done, 1 the script raised an error, 2 wrong usage or no such script,\n"
    "130 interrupted (SIGINT), 143 terminated (SIGTERM), 129 hung up (SIGHUP)\n\n"
    "Of every client that the script makes, unless it says otherwise itself:\n\n"
    "  --token-file FILE  show the token in the first line of FILE (default: the variable\n"
    "                     WINGMAN_TOKEN); sim:// and topgun:// have tokens of their own\n"
    "  --ca-file FILE     authorities for wss://, a PEM file (default: the system's)\n"
    "  --cert-file FILE   this client's certificate for wss://, a PEM file, and\n"
    "  --key-file FILE    its key\n"
    "  --proxy URL        http://[user:password@]host:port, or none (default: http_proxy and\n"
    "                     its kin, but for loopback and no_proxy)\n"
    "  --insecure-skip-verify\n"
    "                     accept any certificate: for tests only\n\n"
    "A script that returns a load test (require \"wingman.load\") is run as such:\n\n"
    "  --out FORM=FILE    write the report: json, csv, hgrm, junit, html, svg, text, prometheus;\n"
    "                     may be repeated\n"
    "  --workers N        in N threads, one core each\n"
    "  --policy FILE      a Lua file that returns { routing = ..., reconnect = ..., endpoint = ... }\n"
    "  --seed N           of all random choices; default 1\n"
    "  --shard I/N        this run is part I (from 0) of N; found by itself in indexed jobs\n"
    "                     of Kubernetes, arrays of Slurm and ranks of MPI\n"
    "                     ({shard} in FILE is I)\n"
    "  --start-at TIME    begin then (Unix seconds, or +DURATION: +10s), so that shards begin\n"
    "                     together\n"
    "  --control PATH     take orders at a socket there, see wingman ctl\n"
    "  --attach PATH      let prompts in at a socket there, see wingman repl --attach\n"
    "  --prometheus ADDR  serve metrics, e.g. at :9464\n"
    "  --keep-awake       keep the processors of a virtual machine from halting, see wingman\n"
    "                     keep-awake --help; for a machine of the generator's own\n"
    "  --strict           a generator that was late, or iterations that were dropped,\n"
    "                     are a failure; of shards `wingman report merge --strict` says so\n"
    "  --quiet            errors and the verdict only\n\n"
    "exit codes of load tests: 0 passed, 99 a threshold failed, 98 --strict and the generator\n"
    "was late or iterations were dropped, 3 no connection, 1 also when a planned fault did not\n"
    "take place, or nothing was measured; else as above\n";

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
