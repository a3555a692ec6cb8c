#include "lua_state.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

/* Where the Lua files and the module are, seen from the executable's directory:
 * a build tree (build/wingman, build/sanitized/wingman), an installation
 * (bin/wingman). */
static const struct {
    const char *lua;
    const char *module;
} places[] = {
    {"/../lua", "/lib"},
    {"/../../lua", "/lib"},
    {"/../share/wingman/lua", "/../lib"},
};

/* Percent of the live heap at which the next collection starts. A script that writes
 * makes a table per operation: at Lua's 200 a fifth of a write's time goes into
 * sweeping (scripts/bench/hot_path.lua), at 400 half of that, beyond it no less. */
#define GC_PAUSE 400

static bool readable(const char *directory, const char *place, const char *file)
{
    char path[PATH_MAX * 2];
    snprintf(path, sizeof path, "%s%s%s", directory, place, file);
    return access(path, R_OK) == 0;
}

static void prepend(lua_State *L, const char *field, const char *first)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, field);
    lua_pushfstring(L, "%s;%s", first, lua_tostring(L, -1));
    lua_setfield(L, -3, field);
    lua_pop(L, 2);
}

static bool set_paths(lua_State *L)
{
    char directory[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", directory, sizeof directory - 1);
    if (n <= 0) {
        perror("wingman: /proc/self/exe");
        return false;
    }
    directory[n] = '\0';
    *strrchr(directory, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!readable(directory, places[i].lua, "/wingman/init.lua")) continue;
        if (!readable(directory, places[i].module, "/wingman/core.so")) continue;
        const char *lua = lua_pushfstring(L, "%s%s/?.lua;%s%s/?/init.lua", directory, places[i].lua, directory,
                                          places[i].lua);
        prepend(L, "path", lua);
        const char *module = lua_pushfstring(L, "%s%s/?.so", directory, places[i].module);
        prepend(L, "cpath", module);
        lua_pop(L, 2);
        return true;
    }
    fprintf(stderr,
            "wingman: its Lua files are neither in %s/../lua nor in %s/../share/wingman/lua, or lib/wingman/core.so "
            "is missing; build or install it again\n",
            directory, directory);
    return false;
}

lua_State *host_lua_new(void)
{
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        fputs("wingman: out of memory\n", stderr);
        return NULL;
    }
    luaL_openlibs(L);
    lua_gc(L, LUA_GCSETPAUSE, GC_PAUSE);
    if (!set_paths(L)) {
        lua_close(L);
        return NULL;
    }
    return L;
}

void host_lua_set_args(lua_State *L, const char *name, int argc, char **argv)
{
    lua_createtable(L, argc, 1);
    lua_pushstring(L, name);
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
}

/* -- interruption -- */

static lua_State *interruptible;
static volatile sig_atomic_t interrupted;

static void raise_interrupted(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted");
}

/* lua_sethook is made for use in signal handlers; a hook runs when Lua does, so
 * a script that waits in the loop is woken by the signal (EINTR) and then it. */
static void on_sigint(int number)
{
    if (interrupted) _exit(HOST_INTERRUPTED);
    interrupted = 1;
    signal(number, on_sigint);
    lua_sethook(interruptible, raise_interrupted, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static int traceback(lua_State *L)
{
    if (!lua_isstring(L, 1)) { /* an error object speaks for itself */
        if (luaL_callmeta(L, 1, "__tostring")) return 1;
        lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
        return 1;
    }
    if (interrupted) return 1;
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

int host_lua_call(lua_State *L, int nargs)
{
    int base = lua_gettop(L) - nargs;
    lua_pushcfunction(L, traceback);
    lua_insert(L, base);
    interruptible = L;
    signal(SIGPIPE, SIG_IGN); /* a closed socket is an error of a call, not an end */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that may not grow */
    signal(SIGINT, on_sigint);
    int status = lua_pcall(L, nargs, 1, base);
    signal(SIGINT, SIG_DFL);
    if (status == 0) {
        /* os.exit is one way to an exit code, `return 3` in the script another. */
        int code = lua_isnumber(L, -1) ? (int)lua_tointeger(L, -1) : HOST_OK;
        lua_settop(L, base - 1);
        return code;
    }
    if (interrupted) fputs("wingman: interrupted\n", stderr);
    else fprintf(stderr, "wingman: %s\n", lua_tostring(L, -1));
    lua_settop(L, base - 1);
    return interrupted ? HOST_INTERRUPTED : HOST_FAILED;
}
