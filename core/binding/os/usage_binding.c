/* wingman.core.cpu_seconds(), thread_cpu_seconds(), resident_bytes(): what this process
 * uses of the machine. */
#include <lauxlib.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "binding/values/binding.h"

static int push_clock(lua_State *L, clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) return luaL_error(L, "the CPU clock cannot be read");
    lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
    return 1;
}

/* CPU time of the whole process so far. */
static int l_cpu_seconds(lua_State *L)
{
    return push_clock(L, CLOCK_PROCESS_CPUTIME_ID);
}

/* CPU time of the calling thread so far. */
static int l_thread_cpu_seconds(lua_State *L)
{
    return push_clock(L, CLOCK_THREAD_CPUTIME_ID);
}

/* Resident memory of the process; 0 where /proc does not tell. */
static int l_resident_bytes(lua_State *L)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        if (fscanf(f, "%*u %lu", &pages) != 1) pages = 0;
        fclose(f);
    }
    lua_pushnumber(L, (lua_Number)pages * (lua_Number)sysconf(_SC_PAGESIZE));
    return 1;
}

void wm_lua_open_usage(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"cpu_seconds", l_cpu_seconds},
        {"thread_cpu_seconds", l_thread_cpu_seconds},
        {"resident_bytes", l_resident_bytes},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
