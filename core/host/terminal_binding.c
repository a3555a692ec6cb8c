#include "host/terminal_binding.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/input_watch.h"
#include "host/line_editor.h"
#include "host/prompt_signals.h"
#include "net/loop.h"

#define EDITOR "wingman.terminal.editor"
#define INPUT "wingman.terminal.input"

typedef struct editor_slot {
    line_editor *editor;
} editor_slot;

/* `loop` is the slot of the loop's userdata, which the environment of this one keeps
 * alive; it holds NULL once the loop was closed, and the handle with it. */
typedef struct input_slot {
    input_watch *watch;
    wm_loop **loop;
} input_slot;

static line_editor *check_editor(lua_State *L)
{
    editor_slot *slot = luaL_checkudata(L, 1, EDITOR);
    if (slot->editor == NULL) luaL_argerror(L, 1, "the editor is closed");
    return slot->editor;
}

static input_watch *check_input(lua_State *L)
{
    input_slot *slot = luaL_checkudata(L, 1, INPUT);
    if (slot->watch == NULL || *slot->loop == NULL) luaL_argerror(L, 1, "the input is closed");
    return slot->watch;
}

static wm_loop **check_loop(lua_State *L, int index)
{
    wm_loop **slot = luaL_checkudata(L, index, "wingman.loop");
    if (*slot == NULL) luaL_argerror(L, index, "the loop is closed");
    return slot;
}

/* -- the editor ----------------------------------------------------------------------- */

/* editor() -> the line editor; nil when standard input is no terminal. */
static int l_editor(lua_State *L)
{
    editor_slot *slot = lua_newuserdata(L, sizeof *slot);
    slot->editor = NULL;
    luaL_getmetatable(L, EDITOR);
    lua_setmetatable(L, -2);
    slot->editor = line_editor_new();
    return slot->editor != NULL ? 1 : 0;
}

static int l_editor_close(lua_State *L)
{
    editor_slot *slot = luaL_checkudata(L, 1, EDITOR);
    line_editor *e = slot->editor;
    slot->editor = NULL;
    line_editor_free(e);
    return 0;
}

/* begin(prompt): the prompt appears at the next `next`. */
static int l_begin(lua_State *L)
{
    line_editor_begin(check_editor(L), luaL_checkstring(L, 2));
    return 0;
}

/* next(typed or nil at the end of the input) -> "waits", "line" with the text,
 * "completes" with the text and the cursor's place in it in bytes, "ends". */
static int l_next(lua_State *L)
{
    static const char *const names[] = {"waits", "line", "completes", "ends"};
    line_editor *e = check_editor(L);
    size_t len = 0;
    const char *typed = "";
    if (lua_isnil(L, 2)) line_editor_end_of_input(e);
    else typed = luaL_checklstring(L, 2, &len);
    line_editor_event event = line_editor_next(e, typed, len);
    lua_pushstring(L, names[event]);
    if (event != LINE_EDITOR_LINE && event != LINE_EDITOR_COMPLETES) return 1;
    size_t cursor;
    const char *text = line_editor_text(e, &len, &cursor);
    lua_pushlstring(L, text, len);
    lua_pushinteger(L, (lua_Integer)cursor);
    return 3;
}

static int l_complete(lua_State *L)
{
    line_editor *e = check_editor(L);
    line_editor_complete(e, luaL_checkstring(L, 2));
    return 0;
}

#define EDITOR_METHOD(name)                  \
    static int l_##name(lua_State *L)        \
    {                                        \
        line_editor_##name(check_editor(L)); \
        return 0;                            \
    }
EDITOR_METHOD(cancel)
EDITOR_METHOD(hide)
EDITOR_METHOD(show)
EDITOR_METHOD(lend_terminal)
EDITOR_METHOD(take_terminal)
#undef EDITOR_METHOD

static int l_remember(lua_State *L)
{
    line_editor *e = check_editor(L);
    line_editor_remember(e, luaL_checkstring(L, 2));
    return 0;
}

/* -- standard input --------------------------------------------------------------------- */

/* input(loop) -> standard input, watched by the loop. */
static int l_input(lua_State *L)
{
    wm_loop **loop = check_loop(L, 1);
    input_slot *slot = lua_newuserdata(L, sizeof *slot);
    *slot = (input_slot){.loop = loop};
    luaL_getmetatable(L, INPUT);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    slot->watch = input_watch_new(wm_loop_uv(*loop));
    return slot->watch != NULL ? 1 : luaL_error(L, "input: out of memory");
}

static int l_input_close(lua_State *L)
{
    input_slot *slot = luaL_checkudata(L, 1, INPUT);
    if (slot->watch != NULL && *slot->loop != NULL) input_watch_close(slot->watch);
    slot->watch = NULL;
    return 0;
}

static int l_watch(lua_State *L)
{
    input_watch *w = check_input(L);
    input_watch_set(w, lua_toboolean(L, 2));
    return 0;
}

/* read() -> what is there, "" when nothing is; nil at the end, with an error when it cannot
 * be read. */
static int l_read(lua_State *L)
{
    char bytes[4096];
    long n = input_watch_read(check_input(L), bytes, sizeof bytes);
    if (n == INPUT_ENDED) return 0;
    if (n < 0) {
        lua_pushnil(L);
        lua_pushstring(L, strerror((int)-n));
        return 2;
    }
    lua_pushlstring(L, bytes, (size_t)n);
    return 1;
}

/* -- signals, the screen ------------------------------------------------------------------ */

/* signals(loop): takes them over; signals(nil) gives them back. */
static int l_signals(lua_State *L)
{
    if (lua_isnil(L, 1)) {
        prompt_signals_end();
        return 0;
    }
    int err = prompt_signals_begin(wm_loop_uv(*check_loop(L, 1)));
    return err == 0 ? 0 : luaL_error(L, "signals: %s", uv_strerror(err));
}

/* news() -> how many interrupts since the last call, whether the screen is to be drawn
 * again. */
static int l_news(lua_State *L)
{
    prompt_news news = prompt_signals_take();
    lua_pushinteger(L, news.interrupts);
    lua_pushboolean(L, news.redraw);
    return 2;
}

/* arm(coroutine or nil): what Ctrl-C ends. */
static int l_arm(lua_State *L)
{
    lua_State *chunk = lua_isnoneornil(L, 1) ? NULL : lua_tothread(L, 1);
    prompt_signals_arm(chunk);
    lua_pushvalue(L, 1); /* keeps it alive */
    lua_setfield(L, LUA_REGISTRYINDEX, "wingman.terminal.chunk");
    return 0;
}

/* is_terminal(0 | 1 | 2) -> whether that standard stream is one. */
static int l_is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* width() -> columns of the terminal of standard output; 80 when that is no terminal. */
static int l_width(lua_State *L)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    lua_pushinteger(L, known ? size.ws_col : 80);
    return 1;
}

/* height() -> lines of the terminal of standard output; 24 when that is no terminal. */
static int l_height(lua_State *L)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    lua_pushinteger(L, known ? size.ws_row : 24);
    return 1;
}

/* append(path, text) -> true, or nil and the error: to a file that only its owner may
 * read, which is made when it is not there. */
static int l_append(lua_State *L)
{
    size_t len;
    const char *path = luaL_checkstring(L, 1);
    const char *text = luaL_checklstring(L, 2, &len);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    bool done = fd >= 0 && write(fd, text, len) == (ssize_t)len;
    int err = errno;
    if (fd >= 0) close(fd);
    if (done) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(err));
    return 2;
}

static void open_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction collect)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int host_open_terminal(lua_State *L)
{
    static const luaL_Reg editor[] = {
        {"begin", l_begin},
        {"next", l_next},
        {"complete", l_complete},
        {"cancel", l_cancel},
        {"hide", l_hide},
        {"show", l_show},
        {"close", l_editor_close},
        {"remember", l_remember},
        {"lend_terminal", l_lend_terminal},
        {"take_terminal", l_take_terminal},
        {NULL, NULL},
    };
    static const luaL_Reg input[] = {{"watch", l_watch}, {"read", l_read}, {"close", l_input_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"editor", l_editor},
        {"input", l_input},
        {"signals", l_signals},
        {"news", l_news},
        {"arm", l_arm},
        {"append", l_append},
        {"is_terminal", l_is_terminal},
        {"width", l_width},
        {"height", l_height},
        {NULL, NULL},
    };
    open_class(L, EDITOR, editor, l_editor_close);
    open_class(L, INPUT, input, l_input_close);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
