/* Methods of a client: its dead letters. */
#include "base/status.h"
#include "binding/client/client_userdata.h"
#include "binding/values/codec.h"

/* rejected_stats(): how many letters there are, and how many had to make way. */
static int l_rejected_stats(lua_State *L)
{
    const wm_dead_letters *letters = wm_client_dead_letters(wm_lua_check_client(L));
    lua_pushnumber(L, wm_dead_letters_count(letters));
    lua_pushnumber(L, (lua_Number)wm_dead_letters_displaced(letters));
    return 2;
}

static void set_text(lua_State *L, const char *name, const char *text, size_t len)
{
    lua_pushlstring(L, text, len);
    lua_setfield(L, -2, name);
}

/* Pushes a letter without its value. */
static void push_letter(lua_State *L, const wm_dead_letter *letter)
{
    lua_createtable(L, 0, 9);
    wm_lua_set_number(L, "seq", (lua_Number)letter->seq);
    wm_lua_set_number(L, "millis", (lua_Number)letter->op.time.millis);
    wm_lua_set_number(L, "counter", (lua_Number)letter->op.time.counter);
    set_text(L, "map", letter->op.map_name, letter->op.map_len);
    set_text(L, "key", letter->op.key, letter->op.key_len);
    set_text(L, "reason", letter->reason, letter->reason_len);
    if (letter->node_len > 0) set_text(L, "node", letter->node, letter->node_len);
    if (letter->op.removed) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "removed");
    }
}

/* Sets the field `value` of the table on top; nothing for what Lua has no value for. */
static void set_value(lua_State *L, const wm_buffer *value)
{
    wm_mp_reader r;
    wm_mp_reader_init(&r, value->data, value->len);
    if (value->failed || wm_lua_decode(L, &r) < 0) return;
    lua_setfield(L, -2, "value");
}

/* rejected(): an array of {seq, map, key, value, removed, millis, counter, reason, node}, the
 * oldest first.
 * A finalizer that runs during the decoding may close the client or drop letters, so that
 * each value is copied and the count read again. */
static int l_rejected(lua_State *L)
{
    client_slot *slot = (wm_lua_check_client(L), lua_touserdata(L, 1));
    lua_newtable(L);
    for (uint32_t i = 0; slot->client != NULL; i++) {
        const wm_dead_letters *letters = wm_client_dead_letters(slot->client);
        wm_dead_letter letter;
        if (i >= wm_dead_letters_count(letters)) break;
        wm_dead_letters_at(letters, i, &letter);
        wm_buffer value = wm_lua_borrow(slot);
        if (!letter.op.removed) wm_buffer_append(&value, letter.op.value, letter.op.value_len);
        bool removed = letter.op.removed;
        push_letter(L, &letter);
        if (!removed) set_value(L, &value);
        wm_lua_give_back(slot, &value);
        lua_rawseti(L, 2, (int)i + 1);
    }
    return 1;
}

/* resend_rejected(seq): the seq of the new operation; nil and the text of a status. */
static int l_resend_rejected(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    double seq = wm_client_resend_rejected(c, wm_lua_check_whole(L, 2));
    if (seq < 0) return wm_lua_push_result(L, (int)seq);
    lua_pushnumber(L, seq);
    return 1;
}

/* drop_rejected(seq): whether there was such a letter. */
static int l_drop_rejected(lua_State *L)
{
    wm_client *c = wm_lua_check_client(L);
    lua_pushboolean(L, wm_client_drop_rejected(c, wm_lua_check_whole(L, 2)));
    return 1;
}

const luaL_Reg wm_lua_client_rejected_methods[] = {
    {"rejected_stats", l_rejected_stats},
    {"rejected", l_rejected},
    {"resend_rejected", l_resend_rejected},
    {"drop_rejected", l_drop_rejected},
    {NULL, NULL},
};
