#include "host/workers.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/lua_state.h"

#define CLASS "wingman.worker"

typedef struct worker {
    pthread_t thread;
    char *module;
    char *argument;
    bool started;
    bool failed; /* written by the thread, read after it was joined */
} worker;

static int traceback(lua_State *L)
{
    const char *message = lua_tostring(L, 1);
    luaL_traceback(L, L, message ? message : "(error object is no text)", 1);
    return 1;
}

static void *run(void *user)
{
    worker *w = user;
    lua_State *L = host_lua_new();
    w->failed = true;
    if (L == NULL) return NULL;
    lua_pushcfunction(L, traceback);
    if (luaL_loadstring(L, "local module, argument = ... return require(module).main(argument)") == 0) {
        lua_pushstring(L, w->module);
        lua_pushstring(L, w->argument);
        w->failed = lua_pcall(L, 2, 0, 1) != 0;
        if (w->failed) fprintf(stderr, "wingman: %s\n", lua_tostring(L, -1));
    }
    lua_close(L);
    return NULL;
}

/* Signals are for the thread that runs the command. */
static int create(worker *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

static int l_start(lua_State *L)
{
    const char *module = luaL_checkstring(L, 1), *argument = luaL_checkstring(L, 2);
    worker *w = lua_newuserdata(L, sizeof *w);
    *w = (worker){.started = false};
    luaL_getmetatable(L, CLASS);
    lua_setmetatable(L, -2);
    w->module = strdup(module);
    w->argument = strdup(argument);
    if (w->module == NULL || w->argument == NULL) return luaL_error(L, "workers: out of memory");
    int err = create(w);
    if (err == 0) {
        w->started = true;
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, strerror(err));
    return 2;
}

static int l_join(lua_State *L)
{
    worker *w = luaL_checkudata(L, 1, CLASS);
    if (w->started) pthread_join(w->thread, NULL);
    w->started = false;
    free(w->module);
    free(w->argument);
    w->module = w->argument = NULL;
    lua_pushboolean(L, !w->failed);
    return 1;
}

int host_open_workers(lua_State *L)
{
    luaL_newmetatable(L, CLASS);
    lua_pushcfunction(L, l_join);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    lua_pushcfunction(L, l_join);
    lua_setfield(L, -2, "join");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, l_start);
    lua_setfield(L, -2, "start");
    return 1;
}
