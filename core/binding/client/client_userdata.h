#ifndef WM_LUA_CLIENT_USERDATA_H
#define WM_LUA_CLIENT_USERDATA_H
#include <lauxlib.h>
#include <lua.h>

#include "base/buffer.h"
#include "client/client.h"

/* The userdata of a client and of its maps, for the files that are their methods: client_binding.c
 * (life and nodes), client_routing_binding.c, client_log_binding.c (operations, figures),
 * client_event_binding.c, client_rejected_binding.c (dead letters), map_binding.c, replica_binding.c. */

#define WM_LUA_CLIENT "wingman.core.client"
#define WM_LUA_MAP "wingman.core.map"

typedef struct client_slot {
    wm_client *client;          /* NULL: closed */
    wm_buffer scratch;          /* wm_lua_borrow */
    struct wm_lua_event *event; /* its decoding continues in the next call; NULL: none */
} client_slot;

/* A map of a client; its environment table keeps the client's userdata alive. */
typedef struct map_slot {
    wm_map *map;
    client_slot *owner;
} map_slot;

extern const luaL_Reg wm_lua_client_routing_methods[];
extern const luaL_Reg wm_lua_client_log_methods[];
extern const luaL_Reg wm_lua_client_event_methods[];
/* Frees the event that is being decoded, if any. */
void wm_lua_forget_event(client_slot *slot);
extern const luaL_Reg wm_lua_client_rejected_methods[];
extern const luaL_Reg wm_lua_map_methods[];
extern const luaL_Reg wm_lua_replica_methods[];
extern const luaL_Reg wm_lua_client_replica_methods[];

/* The client that is the first argument; raises when it is closed or something else. */
wm_client *wm_lua_check_client(lua_State *L);
/* The node index or the connection at `index`; raises when the client has none of that number. */
int wm_lua_check_node(lua_State *L, wm_client *c, int index);
int wm_lua_check_connection(lua_State *L, wm_client *c, int index);

/* A number from 0 to 2^53 as an integer; raises for NaN and all else. */
uint64_t wm_lua_check_whole(lua_State *L, int index);

/* Takes the client's scratch buffer, empty, so that calls do not allocate. Until it is given back, the
 * client has an unallocated one: a finalizer that runs during the call may borrow, too. */
wm_buffer wm_lua_borrow(client_slot *slot);
/* Gives a borrowed buffer back. */
void wm_lua_give_back(client_slot *slot, wm_buffer *b);

/* Pushes true, or nil and the text of the status. Returns the number of values. */
int wm_lua_push_result(lua_State *L, int status);
/* Sets a field of the table on top. */
void wm_lua_set_number(lua_State *L, const char *name, lua_Number n);
/* The map that is the first argument; raises when its client is closed or it is something else. */
wm_map *wm_lua_check_map(lua_State *L);
/* Pushes the decoded value of a record; nil for an extension that Lua has no value for. */
int wm_lua_push_map_value(lua_State *L, const uint8_t *bytes, size_t len);
/* Pushes a new userdata for a map of the client that is the first argument. */
int wm_lua_push_map(lua_State *L);
/* v2_stores_map(name). */
int wm_lua_v2_stores_map(lua_State *L);
#endif
