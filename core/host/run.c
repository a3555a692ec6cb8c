/* `wingman run`: a script in a Lua state of its own. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "lua_state.h"

static const char help[] =
    "usage: wingman run SCRIPT [ARGS]\n\n"
    "Runs a Lua script (LuaJIT) in which require \"wingman\" works. SCRIPT - reads it\n"
    "from standard input. ARGS are the global `arg` and `...`. A number that the\n"
    "script returns is the exit code.\n\n"
    "SIGINT (Ctrl-C) and SIGTERM first send what was written and wait up to 10 s for its\n"
    "acknowledgements, for every open client; what is not acknowledged then is told by\n"
    "cause. A second signal ends at once. A script can do otherwise: require\n"
    "\"wingman.interrupt\".\n\n"
    "exit codes: 0 done, 1 the script raised an error, 2 wrong usage or no such script,\n"
    "130 interrupted (SIGINT), 143 terminated (SIGTERM)\n";

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
    lua_State *L = host_lua_new();
    if (L == NULL) return HOST_FAILED;
    const char *script = argv[1];
    int nargs = argc - 2;
    host_lua_set_args(L, script, nargs, argv + 2);
    int code;
    if (luaL_loadfile(L, strcmp(script, "-") == 0 ? NULL : script) != 0) {
        fprintf(stderr, "wingman: %s\n", lua_tostring(L, -1));
        code = HOST_USAGE;
    } else {
        luaL_checkstack(L, nargs + 4, "arguments");
        for (int i = 0; i < nargs; i++) lua_pushstring(L, argv[2 + i]);
        code = host_lua_call(L, nargs);
    }
    fflush(stdout);
    lua_close(L);
    return code;
}
