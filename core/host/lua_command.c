/* Commands that Lua modules implement: main(arg) of the module returns the exit code. */
#include <lauxlib.h>
#include <stdio.h>

#include "host/commands.h"
#include "host/lua_state.h"
#include "host/terminal_binding.h"
#include "host/workers.h"

void host_hint(const char *wrong, const char *const *names, size_t count, char *hint, size_t size)
{
    static const char chunk[] = "return require('wingman.base.nearest').hint(...)";
    snprintf(hint, size, "%s", "");
    lua_State *L = host_lua_new();
    if (L == NULL) return;
    if (luaL_loadstring(L, chunk) == 0) {
        lua_pushstring(L, wrong);
        lua_createtable(L, (int)count, 0);
        for (size_t i = 0; i < count; i++) {
            lua_pushstring(L, names[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
        if (lua_pcall(L, 2, 1, 0) == 0) snprintf(hint, size, "%s", lua_tostring(L, -1));
    }
    lua_close(L);
}

/* For the workers of load tests. */
static const host_module workers = {"wingman.workers", host_open_workers};
static const host_module terminal = {"wingman.terminal", host_open_terminal};

int host_run(int argc, char **argv)
{
    return host_lua_main("wingman.command.run", &workers, argc, argv);
}

int host_bench(int argc, char **argv)
{
    return host_lua_main("wingman.command.bench", &workers, argc, argv);
}

int host_repl(int argc, char **argv)
{
    return host_lua_main("wingman.command.repl", &terminal, argc, argv);
}

int host_probe(int argc, char **argv)
{
    return host_lua_main("wingman.command.probe", NULL, argc, argv);
}

int host_report(int argc, char **argv)
{
    return host_lua_main("wingman.command.report", NULL, argc, argv);
}

int host_oplog(int argc, char **argv)
{
    return host_lua_main("wingman.command.oplog", NULL, argc, argv);
}

int host_ctl(int argc, char **argv)
{
    return host_lua_main("wingman.command.ctl", NULL, argc, argv);
}
