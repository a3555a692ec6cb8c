#ifndef HOST_LINE_EDITOR_H
#define HOST_LINE_EDITOR_H
#include <stdbool.h>
#include <stddef.h>

/* The line at the prompt, edited by libedit at the terminal of standard input and
 * output. libedit wants to own the thread until a line is finished, in its search and
 * its key sequences too. So it runs on a stack of its own that is left whenever it
 * wants a character which is not there yet: the loop goes on meanwhile. One per
 * process; nothing here calls Lua. */
typedef struct line_editor line_editor;

typedef enum line_editor_event {
    LINE_EDITOR_WAITS,     /* for more input, or for line_editor_begin */
    LINE_EDITOR_LINE,      /* a line is finished: line_editor_text */
    LINE_EDITOR_COMPLETES, /* TAB: line_editor_text, then line_editor_complete */
    LINE_EDITOR_ENDS,      /* Ctrl-D on an empty line, or the terminal is gone */
} line_editor_event;

/* NULL when out of memory or when standard input is no terminal. Free with
 * line_editor_free, which gives the terminal back as it was. */
line_editor *line_editor_new(void);
void line_editor_free(line_editor *e);

/* A line starts with this prompt (copied), which appears at the next _next. */
void line_editor_begin(line_editor *e, const char *prompt);
/* Takes what was typed (copied) and edits until something happened. What is left of
 * the input stays for the next call. */
line_editor_event line_editor_next(line_editor *e, const char *typed, size_t len);
/* The end of the input. */
void line_editor_end_of_input(line_editor *e);
/* The line, without its end, and where the cursor is, in bytes. Valid until the next
 * call of _next. */
const char *line_editor_text(line_editor *e, size_t *len, size_t *cursor);
/* Answers LINE_EDITOR_COMPLETES: inserts at the cursor. */
void line_editor_complete(line_editor *e, const char *text);
/* Drops the line that is being typed, and the input behind it (Ctrl-C). */
void line_editor_cancel(line_editor *e);
/* Takes prompt and line off the screen, for output; and shows them again below it,
 * with the terminal's present size. Both do nothing when it is so already. */
void line_editor_hide(line_editor *e);
void line_editor_show(line_editor *e);
/* The terminal as other programs expect it (a child process, io.read), and back. */
void line_editor_lend_terminal(line_editor *e);
void line_editor_take_terminal(line_editor *e);
/* Adds to the history that the arrow keys and the search walk. */
void line_editor_remember(line_editor *e, const char *entry);
/* For signal handlers: the terminal as it was before the first editor. */
void line_editor_restore_terminal(void);
#endif
