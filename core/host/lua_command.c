/* Commands that a Lua module does: its main(arg) returns the exit code. */
#include <lauxlib.h>
#include <stdio.h>

#include "host/commands.h"
#include "host/lua_state.h"

static int run_main(const char *name, const char *module, int argc, char **argv)
{
    lua_State *L = host_lua_new();
    if (L == NULL) return HOST_FAILED;
    host_lua_set_args(L, name, argc - 1, argv + 1);
    int code = HOST_FAILED;
    const char *chunk = lua_pushfstring(L, "return require('%s').main(arg)", module);
    if (luaL_loadstring(L, chunk) == 0) code = host_lua_call(L, 0);
    fflush(stdout);
    lua_close(L);
    return code;
}

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

int host_probe(int argc, char **argv)
{
    return run_main("probe", "wingman.command.probe", argc, argv);
}

int host_report(int argc, char **argv)
{
    return run_main("report", "wingman.command.report", argc, argv);
}

int host_oplog(int argc, char **argv)
{
    return run_main("oplog", "wingman.command.oplog", argc, argv);
}

int host_ctl(int argc, char **argv)
{
    return run_main("ctl", "wingman.command.ctl", argc, argv);
}
