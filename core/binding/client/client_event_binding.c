/* What has happened, as Lua gets it: one event a call, and a large message in several. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "binding/client/client_userdata.h"
#include "binding/values/codec.h"

/* Entries that a table gets room for: what is decoded here was parsed, and is within the
 * client's limits. */
#define MAX_RESERVED (1u << 20)
/* Where the environment of a client keeps the half-made tables of wm_lua_decoding. */
#define HALF_MADE "half_made"

/* An event whose text is decoded. */
struct wm_lua_event {
    wm_event event;
    wm_buffer memory;    /* a copy, as a finalizer that the collector happens to run may add events; or what the text came with */
    const uint8_t *text; /* in it */
    bool is_map_event;   /* as servers write it: only its value is decoded */
    wm_map_event map_event;
    wm_lua_decoding decoding;
};
typedef struct wm_lua_event lua_event;

/* -- between calls ------------------------------------------------------------------- */

/* Moves the values above `base` to the client's environment. */
static void put_aside(lua_State *L, int base)
{
    int count = lua_gettop(L) - base;
    lua_getfenv(L, 1);
    lua_createtable(L, count, 0);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(L, base + i);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, HALF_MADE);
    lua_settop(L, base);
}

static void take_back(lua_State *L)
{
    lua_getfenv(L, 1);
    int env = lua_gettop(L);
    lua_getfield(L, env, HALF_MADE);
    lua_pushnil(L);
    lua_setfield(L, env, HALF_MADE);
    int count = (int)lua_objlen(L, env + 1);
    luaL_checkstack(L, count + 8, "decode");
    for (int i = 1; i <= count; i++) lua_rawgeti(L, env + 1, i);
    lua_remove(L, env);
    lua_remove(L, env);
}

void wm_lua_forget_event(client_slot *slot)
{
    if (slot->event == NULL) return;
    wm_buffer_close(&slot->event->memory);
    free(slot->event);
    slot->event = NULL;
}

/* Keeps the event for the next call. A client that a finalizer has closed meanwhile has no
 * next call. */
static void keep(client_slot *slot, const lua_event *e)
{
    lua_event *kept = slot->client != NULL ? malloc(sizeof *kept) : NULL;
    if (kept != NULL) *kept = *e;
    else free(e->memory.data);
    slot->event = kept;
}

/* -- one event ----------------------------------------------------------------------- */

static void push_head(lua_State *L, const wm_event *e)
{
    lua_pushstring(L, wm_event_name(e->type));
    lua_pushinteger(L, e->connection);
    if (e->type == WM_EVENT_LOST) lua_pushstring(L, wm_end_reason_key((wm_end_reason)e->a));
    else lua_pushnumber(L, (lua_Number)e->a);
    lua_pushnumber(L, (lua_Number)e->b);
}

static void begin_value(lua_event *e, const uint8_t *bytes, size_t len)
{
    wm_mp_reader r;
    wm_mp_reader_init(&r, bytes, len);
    wm_lua_decode_begin(&e->decoding, &r, MAX_RESERVED);
    e->decoding.is_done = bytes == NULL; /* of a removal: there is nothing to decode */
}

/* An event that was popped, with memory of its own for its text: a copy, or what the text
 * came with. */
static void take_event(client_slot *slot, const wm_event *event, const char *text, lua_event *e)
{
    e->event = *event;
    e->text = (const uint8_t *)text;
    e->memory = (wm_buffer){.data = wm_event_queue_take(wm_client_events(slot->client)), .cap = SIZE_MAX};
    if (e->memory.data != NULL) return;
    e->memory = wm_lua_borrow(slot);
    wm_buffer_append(&e->memory, text, event->text_len);
    e->text = e->memory.failed ? NULL : e->memory.data;
}

static void begin_event(lua_event *e)
{
    e->is_map_event =
        e->event.type == WM_EVENT_MAP_EVENT && !e->memory.failed && wm_map_event_read(e->text, e->event.text_len, &e->map_event);
    if (e->is_map_event) begin_value(e, e->map_event.value, e->map_event.value_len);
    else begin_value(e, e->text, e->event.text_len);
}

/* What stands before the value. */
static void push_before_value(lua_State *L, const lua_event *e)
{
    lua_pushboolean(L, e->is_map_event || (e->event.type != WM_EVENT_MAP_EVENT && e->event.flag));
    if (!e->is_map_event) return;
    lua_pushlstring(L, e->map_event.map, e->map_event.map_len);
    lua_pushlstring(L, e->map_event.key, e->map_event.key_len);
}

/* Decodes on: 1 when there is more; else 0, and what the event is for Lua stands above
 * `top`. */
static int decode_message(lua_State *L, lua_event *e, uint32_t most, int base)
{
    int rc = e->memory.failed ? WM_MP_ETRUNCATED : wm_lua_decode_on(L, &e->decoding, most);
    if (rc >= 0) return rc;
    lua_settop(L, base);
    lua_pushnil(L);
    lua_pushstring(L, wm_lua_decode_text(L, rc));
    return 0;
}

/* The same for a map event: it is merged in the core, so that its event, record and time need
 * no tables: true, the map's name, the key and the value; true alone when nothing changed.
 * The value is decoded first: what Lua cannot have is not taken. < 0: it is for Lua to
 * judge. */
static int decode_map_event(lua_State *L, lua_event *e, uint32_t most, int base)
{
    client_slot *slot = lua_touserdata(L, 1);
    int rc = wm_lua_decode_on(L, &e->decoding, most);
    if (rc != 0) return rc;
    /* The collector, during the decoding, may have closed the client. */
    rc = slot->client != NULL ? wm_client_take_map_event(slot->client, &e->map_event, e->event.connection) : 1;
    if (rc > 0) lua_settop(L, base - 2);
    return rc < 0 ? rc : 0;
}

static int push_decoded(lua_State *L, lua_event *e, uint32_t most, bool goes_on)
{
    client_slot *slot = lua_touserdata(L, 1);
    int top = lua_gettop(L), rc;
    push_head(L, &e->event);
    push_before_value(L, e);
    int base = lua_gettop(L);
    if (goes_on) take_back(L);
    rc = e->is_map_event ? decode_map_event(L, e, most, base) : decode_message(L, e, most, base);
    if (rc < 0) { /* a map event that is not as servers write it: false, and the whole event */
        e->is_map_event = false;
        begin_value(e, e->text, e->event.text_len);
        lua_settop(L, top + 4);
        push_before_value(L, e);
        base = lua_gettop(L);
        rc = decode_message(L, e, most, base);
    }
    if (rc == 0) {
        wm_lua_give_back(slot, &e->memory);
        return lua_gettop(L) - top;
    }
    put_aside(L, base);
    keep(slot, e);
    lua_settop(L, top);
    lua_pushliteral(L, "decoding");
    return 1;
}

/* next_event([most]): type, connection, a, b, flag, text; nothing when there is no event. `a` is
 * the reason's key for "lost"; in place of the text, "message" and "server_error" have the
 * decoded value, or nil and why it cannot be read; "map_event" has what decode_map_event says.
 * "decoding" alone: `most` keys and values of a message were decoded, and there are more;
 * the next call goes on. */
static int l_next_event(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    client_slot *slot = lua_touserdata(L, 1);
    uint32_t most = lua_isnoneornil(L, 2) ? UINT32_MAX : (uint32_t)luaL_checknumber(L, 2);
    lua_event decoded;
    const char *text;
    if (slot->event != NULL) {
        decoded = *slot->event;
        free(slot->event);
        slot->event = NULL;
        return push_decoded(L, &decoded, most, true);
    }
    const wm_event *e = wm_event_queue_pop(wm_client_events(c), &text);
    if (e == NULL) return 0;
    if (e->type == WM_EVENT_MESSAGE || e->type == WM_EVENT_SERVER_ERROR || e->type == WM_EVENT_MAP_EVENT) {
        take_event(slot, e, text, &decoded);
        begin_event(&decoded);
        return push_decoded(L, &decoded, most, false);
    }
    push_head(L, e);
    lua_pushboolean(L, e->flag);
    lua_pushlstring(L, text, e->text_len);
    return 6;
}

/* take_map_event(connection, MessagePack): true when the local copy shows another value, else false; nil and the reason
 * for what is no map event. */
static int l_take_map_event(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    int connection = wm_lua_check_connection(L, c, 2);
    size_t len;
    const char *bytes = luaL_checklstring(L, 3, &len);
    wm_map_event event;
    bool is_event = wm_map_event_read((const uint8_t *)bytes, len, &event);
    int status = is_event ? wm_client_take_map_event(c, &event, connection) : WM_EINVAL;
    if (status >= 0) {
        lua_pushboolean(L, status == WM_OK);
        return 1;
    }
    lua_pushnil(L);
    if (status == WM_EINVAL) lua_pushliteral(L, "an invalid time");
    else lua_pushstring(L, wm_status_text(status));
    return 2;
}

const luaL_Reg wm_lua_client_event_methods[] = {
    {"next_event", l_next_event},
    {"take_map_event", l_take_map_event},
    {NULL, NULL},
};
