#include "host/lua_state.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/commands.h"
#include "host/signals.h"
#include "os/interruption.h"

/* Where the Lua files and the module are, seen from the executable's directory: a build
 * tree (build/wingman, build/sanitized/wingman), an installation (bin/wingman), Debian's
 * package. */
static const struct {
    const char *lua;
    const char *module;
} places[] = {
    {"/../lua", "/lib"},
    {"/../../lua", "/lib"},
    {WINGMAN_LUA_FILES, WINGMAN_MODULES},
    {WINGMAN_LUA_FILES, WINGMAN_DEBIAN_MODULES},
};

/* Percent of the live heap at which the next collection starts. A script that writes
 * makes a table per operation: at Lua's 200 a fifth of a write's time goes into
 * sweeping (scripts/bench/hot_path.lua), at 400 half of that, beyond it no less. */
#define GC_PAUSE 400

/* How the chunk names of Wingman's Lua files begin: written once, by the first thread, before
 * there are others. */
static char own_files[PATH_MAX * 2];

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
        if (own_files[0] == '\0') snprintf(own_files, sizeof own_files, "@%s%s/wingman/", directory, places[i].lua);
        const char *module = lua_pushfstring(L, "%s%s/?.so", directory, places[i].module);
        prepend(L, "cpath", module);
        lua_pop(L, 2);
        return true;
    }
    fprintf(stderr,
            "wingman: its Lua files are neither in %s/../lua nor in %s" WINGMAN_LUA_FILES ", or its wingman/core.so is "
            "missing; build or install it again\n",
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

/* -- calls -- */

/* Where the exit code of an error that has one of its own is kept (see usage_error.lua). */
#define EXIT_CODE_KEY "wingman.exit_code"

static void keep_exit_code(lua_State *L)
{
    if (!lua_istable(L, 1)) return;
    lua_pushliteral(L, "exit_code");
    lua_rawget(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, EXIT_CODE_KEY);
}

/* Pushes the error with a traceback of the script's own frames, if the module for that is loaded. */
static bool add_script_traceback(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, "wingman.base.script_traceback");
    if (!lua_istable(L, -1)) return false;
    lua_getfield(L, -1, "of");
    lua_pushvalue(L, 1);
    return lua_pcall(L, 1, 1, 0) == 0;
}

static int traceback(lua_State *L)
{
    if (!lua_isstring(L, 1)) { /* an error object has its own text */
        keep_exit_code(L);
        if (luaL_callmeta(L, 1, "__tostring")) return 1;
        lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
        return 1;
    }
    if (host_signals_is_interruption(lua_tostring(L, 1))) return 1;
    if (!add_script_traceback(L)) luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

/* Whether there can be a client. If the signal ended the loading of the module, it is no table. */
#define IS_LOADED "type(package.loaded['wingman.client.interrupt']) == 'table'"

/* After the error ended the script: waits for the drain that the loop has begun, or drains now if the
 * loop did not receive the signal. */
static void finish(lua_State *L, int number)
{
    static const char code[] = "if " IS_LOADED " then require('wingman.interrupt').finish(...) end";
    host_signals_take();
    int failed = luaL_loadbuffer(L, code, sizeof code - 1, "=wingman");
    if (!failed) {
        lua_pushstring(L, wm_interruption_name(number));
        failed = lua_pcall(L, 1, 0, 0);
    }
    if (!failed) return;
    fprintf(stderr, "wingman: %s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
}

static const char *end_by(int number)
{
    if (number == SIGTERM) return "terminated";
    return number == SIGHUP ? "hung up" : "interrupted";
}

static int exit_code_of_error(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, EXIT_CODE_KEY);
    int code = lua_isnumber(L, -1) ? (int)lua_tointeger(L, -1) : HOST_FAILED;
    lua_pop(L, 1);
    return code;
}

/* The exit code that a script returned: processes have those from 0 to 255. */
static int returned_code(lua_State *L)
{
    lua_Number code = lua_tonumber(L, -1);
    if (code >= 0 && code <= 255) return (int)code;
    fprintf(stderr, "wingman: the script returned %g, and exit codes are 0 to 255\n", code);
    return HOST_FAILED;
}

/* Drains the script's clients. False when a write stays unacknowledged, or an error in a task was only
 * written to standard error. */
static bool send_the_rest(lua_State *L)
{
    static const char code[] = "return type(package.loaded['wingman.loop']) ~= 'table' or "
                               "require('wingman.interrupt').script_ended()";
    bool all = false;
    if (luaL_loadbuffer(L, code, sizeof code - 1, "=wingman") == 0 && lua_pcall(L, 0, 1, 0) == 0) all = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return all;
}

/* The exit code of a script that an error ended, which is on top. */
static int end_by_error(lua_State *L)
{
    int number = host_signals_seen();
    fprintf(stderr, "wingman: %s\n", lua_tostring(L, -1));
    if (number != 0) return 128 + number;
    int code = exit_code_of_error(L);
    send_the_rest(L);
    return code;
}

/* Whether the script has functions of its own for signals, which were given this one. */
static bool is_answered(lua_State *L)
{
    static const char code[] = "return " IS_LOADED " and require('wingman.interrupt').is_answered()";
    bool answered = luaL_loadbuffer(L, code, sizeof code - 1, "=wingman") == 0 && lua_pcall(L, 0, 1, 0) == 0 && lua_toboolean(L, -1);
    lua_pop(L, 1);
    return answered;
}

/* The exit code of a script that has ended as `status` says, with its result or its
 * error on top. */
static int end_of_script(lua_State *L, int status)
{
    bool is_signalled = host_signals_seen() != 0;
    if (status != 0 && !(is_signalled && host_signals_is_interruption(lua_tostring(L, -1)))) return end_by_error(L);
    bool all = is_signalled || send_the_rest(L);
    int number = host_signals_seen(); /* a signal may have arrived meanwhile */
    bool is_own_end = number == 0 || is_answered(L);
    /* os.exit is one way to an exit code, `return 3` in the script another. */
    if (is_own_end && status == 0 && lua_isnumber(L, -1)) {
        int code = returned_code(L);
        return all || code != HOST_OK ? code : HOST_FAILED;
    }
    if (number == 0) return all ? HOST_OK : HOST_FAILED;
    if (status != 0 || !is_own_end) finish(L, number);
    fprintf(stderr, "wingman: %s\n", end_by(number));
    return 128 + number;
}

int host_lua_call(lua_State *L, int nargs)
{
    int base = lua_gettop(L) - nargs;
    lua_pushcfunction(L, traceback);
    lua_insert(L, base);
    host_signals_start(L, own_files);
    int status = lua_pcall(L, nargs, 1, base);
    int code = end_of_script(L, status);
    host_signals_stop();
    lua_settop(L, base - 1);
    return code;
}

int host_lua_main(const char *module, const host_module *built_in, int argc, char **argv)
{
    lua_State *L = host_lua_new();
    if (L == NULL) return HOST_FAILED;
    host_lua_set_args(L, argv[0], argc - 1, argv + 1);
    if (built_in != NULL) {
        lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
        lua_pushcfunction(L, built_in->open);
        lua_setfield(L, -2, built_in->name);
        lua_pop(L, 1);
    }
    int code = HOST_FAILED;
    const char *chunk = lua_pushfstring(L, "return require('%s').main(arg)", module);
    if (luaL_loadstring(L, chunk) == 0) code = host_lua_call(L, 0);
    fflush(stdout);
    lua_close(L);
    return code;
}
