#ifndef HOST_TERMINAL_BINDING_H
#define HOST_TERMINAL_BINDING_H
#include <lua.h>

/* The Lua module "wingman.terminal": the line editor, standard input and the signals
 * of the prompt, for lua/wingman/repl. The executable alone has it. */
int host_open_terminal(lua_State *L);
#endif
