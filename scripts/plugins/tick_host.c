/* A game server in 40 lines: 20 ticks a second, each plugin in a Lua state of its own.
 * A plugin is a Lua file that returns { tick = function() end, stop = function() end }.
 *   cc scripts/plugins/tick_host.c -o tick_host $(pkg-config --cflags --libs luajit)
 *   ./tick_host TICKS PLUGIN.lua...       prints what each tick took, in microseconds */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void call(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    if (lua_pcall(L, 0, 0, 0) != 0) fprintf(stderr, "tick_host: %s\n", lua_tostring(L, -1));
    lua_settop(L, 1);
}

int main(int argc, char **argv)
{
    lua_State *plugins[argc + 1];
    for (int i = 2; i < argc; i++) {
        luaL_openlibs(plugins[i] = luaL_newstate());
        if (luaL_dofile(plugins[i], argv[i]) != 0) return fprintf(stderr, "%s\n", lua_tostring(plugins[i], -1)), 1;
    }
    for (long ticks = argc > 1 ? atol(argv[1]) : 0, next = now_us(); ticks > 0; ticks--, next += 50000) {
        long begun = now_us(), wait = next + 50000;
        for (int i = 2; i < argc; i++) call(plugins[i], "tick");
        printf("%ld\n", now_us() - begun);
        if ((wait -= now_us()) > 0) nanosleep(&(struct timespec){0, wait * 1000}, NULL);
    }
    for (int i = 2; i < argc; i++) call(plugins[i], "stop"), lua_close(plugins[i]);
    return 0;
}
