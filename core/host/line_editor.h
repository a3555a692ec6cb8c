#ifndef HOST_LINE_EDITOR_H
#define HOST_LINE_EDITOR_H
#include <stdbool.h>
#include <stddef.h>

/* The line editor of the prompt: libedit at the terminal of standard input and output. libedit blocks
 * its thread until a line is finished. So it runs on a stack of its own, which is switched whenever it
 * needs a character that is not there yet, and the loop goes on. One for each process; it never calls
 * Lua. */
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

/* Begins a line with this prompt (copied), which line_editor_next shows. */
void line_editor_begin(line_editor *e, const char *prompt);
/* Adds typed bytes (copied) to the input and edits until the next event. Unused input stays for the
 * next call. */
line_editor_event line_editor_next(line_editor *e, const char *typed, size_t len);
/* Notes the end of the input. */
void line_editor_end_of_input(line_editor *e);
/* The line without its end, and the cursor's offset in bytes. Valid until line_editor_next. */
const char *line_editor_text(line_editor *e, size_t *len, size_t *cursor);
/* Answers LINE_EDITOR_COMPLETES: inserts at the cursor. */
void line_editor_complete(line_editor *e, const char *text);
/* Drops the current line, and all input after it (Ctrl-C). */
void line_editor_cancel(line_editor *e);
/* Removes prompt and line from the screen, for output; and shows them again below it, for the
 * terminal's present size. Each does nothing when that is done already. */
void line_editor_hide(line_editor *e);
void line_editor_show(line_editor *e);
/* Sets the terminal to the mode that other programs expect (a child process, io.read); and back. */
void line_editor_lend_terminal(line_editor *e);
void line_editor_take_terminal(line_editor *e);
/* Adds an entry to the history of the arrow keys and the search. */
void line_editor_remember(line_editor *e, const char *entry);
/* Restores the terminal's mode from before the first editor. For signal handlers. */
void line_editor_restore_terminal(void);
#endif
