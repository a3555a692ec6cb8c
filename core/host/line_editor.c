#include "host/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES (256u * 1024u)
#define HISTORY_ENTRIES 10000
/* How a terminal marks a paste (xterm's bracketed paste). */
#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define PASTE_END L"\033[201~"

struct line_editor {
    EditLine *el;
    History *history;
    char *prompt;
    char *typed; /* bytes that libedit has not read yet */
    size_t typed_len;
    size_t typed_cap;
    char *line; /* a finished line */
    size_t line_len;
    line_editor_event event;
    bool editing; /* a line was begun and is not finished */
    bool shown;
    bool cancelled; /* the line that is being edited is to end */
    bool input_ended;
    char *completion;
    ucontext_t outside;
    ucontext_t inside;
    char *stack;
    const void *outside_stack; /* for the sanitizer */
    size_t outside_size;
};

static struct termios terminal_before;
static bool terminal_known;
/* Whether the terminal understands escape sequences. Emacs' shell and others set TERM=dumb. */
static bool has_escapes;

void line_editor_restore_terminal(void)
{
    if (!terminal_known) return;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    if (!has_escapes) return;
    ssize_t ignored = write(STDOUT_FILENO, PASTE_OFF, sizeof PASTE_OFF - 1);
    (void)ignored;
}

/* -- two stacks -------------------------------------------------------------------- */

static void leave(line_editor *e, line_editor_event event)
{
    e->event = event;
#ifdef __SANITIZE_ADDRESS__
    void *fake;
    __sanitizer_start_switch_fiber(&fake, e->outside_stack, e->outside_size);
    swapcontext(&e->inside, &e->outside);
    __sanitizer_finish_switch_fiber(fake, &e->outside_stack, &e->outside_size);
#else
    swapcontext(&e->inside, &e->outside);
#endif
}

static void enter(line_editor *e)
{
#ifdef __SANITIZE_ADDRESS__
    void *fake;
    __sanitizer_start_switch_fiber(&fake, e->stack, STACK_BYTES);
    swapcontext(&e->outside, &e->inside);
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
    swapcontext(&e->outside, &e->inside);
#endif
}

/* -- inside: what libedit calls ---------------------------------------------------- */

static char *show_prompt(EditLine *el)
{
    line_editor *e;
    el_get(el, EL_CLIENTDATA, &e);
    return e->prompt;
}

/* Reads one typed character; 0 when it is incomplete. Bytes that are no UTF-8 are dropped. */
static int take_character(line_editor *e, wchar_t *c)
{
    while (e->typed_len > 0) {
        mbstate_t state = {0};
        size_t n = mbrtowc(c, e->typed, e->typed_len, &state);
        if (n == (size_t)-2) return 0;
        bool valid = n != (size_t)-1;
        if (!valid || n == 0) n = 1;
        e->typed_len -= n;
        memmove(e->typed, e->typed + n, e->typed_len);
        if (valid) return 1;
    }
    return 0;
}

static int read_character(EditLine *el, wchar_t *c)
{
    line_editor *e;
    el_get(el, EL_CLIENTDATA, &e);
    for (;;) {
        if (e->cancelled) return -1;
        if (take_character(e, c)) return 1;
        if (e->input_ended) return 0;
        leave(e, LINE_EDITOR_WAITS);
    }
}

static unsigned char complete(EditLine *el, int c)
{
    (void)c;
    line_editor *e;
    el_get(el, EL_CLIENTDATA, &e);
    leave(e, LINE_EDITOR_COMPLETES);
    if (e->completion == NULL) return CC_REFRESH;
    int result = *e->completion ? el_insertstr(el, e->completion) : 0;
    free(e->completion);
    e->completion = NULL;
    return result < 0 ? CC_ERROR : CC_REFRESH;
}

/* Inserts a paste into the line with its line ends: nothing runs before Enter. */
static unsigned char paste(EditLine *el, int c)
{
    (void)c;
    size_t len = 0, cap = 1024, end_len = wcslen(PASTE_END);
    wchar_t *text = malloc(cap * sizeof *text);
    wchar_t next;
    while (text != NULL && read_character(el, &next) == 1) {
        if (len + 2 > cap) {
            cap *= 2;
            wchar_t *grown = realloc(text, cap * sizeof *text);
            if (grown == NULL) break;
            text = grown;
        }
        /* The terminal mode swaps CR and LF, so CR LF comes as LF CR. */
        if (next == L'\r' && len > 0 && text[len - 1] == L'\n') continue;
        text[len++] = next == L'\r' ? L'\n' : next;
        if (len < end_len || wmemcmp(text + len - end_len, PASTE_END, end_len) != 0) continue;
        len -= end_len;
        break;
    }
    if (text == NULL) return CC_ERROR;
    while (len > 0 && text[len - 1] == L'\n') len--; /* a typed Enter */
    text[len] = L'\0';
    int result = len > 0 ? el_winsertstr(el, text) : 0;
    free(text);
    return result < 0 ? CC_ERROR : CC_REFRESH;
}

static void keep_line(line_editor *e, const char *text, int count)
{
    size_t len = count > 0 ? (size_t)count : 0;
    if (len > 0 && text[len - 1] == '\n') len--;
    free(e->line);
    e->line = malloc(len + 1);
    e->line_len = e->line ? len : 0;
    if (e->line == NULL) return;
    memcpy(e->line, text, len);
    e->line[len] = '\0';
}

static void edit_lines(unsigned high, unsigned low)
{
    line_editor *e = (line_editor *)(((uintptr_t)high << 32) | low);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(NULL, &e->outside_stack, &e->outside_size);
#endif
    for (;;) {
        while (!e->editing) leave(e, LINE_EDITOR_WAITS);
        int count = 0;
        e->shown = true;
        const char *text = el_gets(e->el, &count);
        e->editing = e->shown = false;
        if (e->cancelled) {
            e->cancelled = false;
        } else if (text == NULL || count <= 0) {
            leave(e, LINE_EDITOR_ENDS);
        } else {
            keep_line(e, text, count);
            leave(e, LINE_EDITOR_LINE);
        }
    }
}

/* -- set-up ------------------------------------------------------------------------- */

static void bind_keys(EditLine *el)
{
    static const char *const keys[][2] = {
        {"^R", "em-inc-search-prev"},
        {"^W", "ed-delete-prev-word"},
        {"\033[3~", "ed-delete-next-char"},
        {"\033[H", "ed-move-to-beg"},
        {"\033[1~", "ed-move-to-beg"},
        {"\033[F", "ed-move-to-end"},
        {"\033[4~", "ed-move-to-end"},
        {"\033[1;5C", "em-next-word"},
        {"\033[1;5D", "ed-prev-word"},
        {"^I", "wingman-complete"},
        {"\033[200~", "wingman-paste"},
    };
    el_wset(el, EL_ADDFN, L"wingman-complete", L"complete a name", complete);
    el_wset(el, EL_ADDFN, L"wingman-paste", L"insert what was pasted", paste);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) el_set(el, EL_BIND, keys[i][0], keys[i][1], NULL);
}

static bool open_history(line_editor *e)
{
    HistEvent event;
    e->history = history_init();
    if (e->history == NULL) return false;
    history(e->history, &event, H_SETSIZE, HISTORY_ENTRIES);
    history(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->el, EL_HIST, history, e->history);
    return true;
}

static bool make_stack(line_editor *e)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, STACK_BYTES + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (pages == MAP_FAILED) return false;
    mprotect(pages, page, PROT_NONE); /* an overflow is detected, not written */
    e->stack = pages + page;
    getcontext(&e->inside);
    e->inside.uc_stack.ss_sp = e->stack;
    e->inside.uc_stack.ss_size = STACK_BYTES;
    e->inside.uc_link = NULL;
    uintptr_t self = (uintptr_t)e;
    makecontext(&e->inside, (void (*)(void))edit_lines, 2, (unsigned)(self >> 32), (unsigned)self);
    return true;
}

line_editor *line_editor_new(void)
{
    if (tcgetattr(STDIN_FILENO, &terminal_before) != 0) return NULL;
    const char *term = getenv("TERM");
    has_escapes = term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
    line_editor *e = calloc(1, sizeof *e);
    if (e == NULL) return NULL;
    e->prompt = strdup("");
    e->el = el_init("wingman", stdin, stdout, stderr);
    if (e->prompt == NULL || e->el == NULL || !open_history(e) || !make_stack(e)) {
        line_editor_free(e);
        return NULL;
    }
    terminal_known = true;
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_SIGNAL, 0);
    el_set(e->el, EL_EDITOR, "emacs");
    el_source(e->el, NULL);
    bind_keys(e->el);
    el_set(e->el, EL_PROMPT, show_prompt);
    el_wset(e->el, EL_GETCFN, read_character);
    /* Typed text is not echoed between lines either: it appears in the next line. */
    el_set(e->el, EL_SETTY, "-x", "-icanon", "-echo", NULL);
    if (has_escapes) fputs(PASTE_ON, stdout);
    fflush(stdout);
    return e;
}

void line_editor_free(line_editor *e)
{
    if (e == NULL) return;
    if (e->el != NULL) el_end(e->el);
    if (e->history != NULL) history_end(e->history);
    if (e->stack != NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        munmap(e->stack - page, STACK_BYTES + page);
    }
    line_editor_restore_terminal();
    terminal_known = false;
    free(e->prompt);
    free(e->typed);
    free(e->line);
    free(e->completion);
    free(e);
}

/* -- the screen ---------------------------------------------------------------------- */

static int columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

static int lines(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 24;
    return size.ws_row;
}

typedef struct place {
    int row;
    int column;
} place;

/* Advances by a character as libedit draws it (its re_addc). */
static void advance(place *at, wchar_t c, int width)
{
    int cells = wcwidth(c);
    if (c == L'\n') cells = width; /* the start of the next row */
    else if (c == L'\t') cells = 8 - at->column % 8;
    else if (iswcntrl((wint_t)c)) cells = 2;
    else if (cells < 0) cells = 8;
    if (c != L'\n' && at->column + cells > width) *at = (place){at->row + 1, 0};
    at->column += cells;
    if (at->column >= width) *at = (place){at->row + 1, 0};
}

/* Finds the rows of the cursor and of the line's end, counted from the prompt's. */
static void measure(line_editor *e, int *cursor_row, int *last_row)
{
    int width = columns(), height = lines();
    place at = {0, 0};
    wchar_t c;
    const char *p = e->prompt;
    mbstate_t state = {0};
    for (size_t n; (n = mbrtowc(&c, p, strlen(p), &state)) > 0 && n < (size_t)-2; p += n) advance(&at, c, width);
    const LineInfoW *line = el_wline(e->el);
    *cursor_row = at.row;
    for (const wchar_t *w = line->buffer; w < line->lastchar; w++) {
        if (w == line->cursor) *cursor_row = at.row;
        advance(&at, *w, width);
    }
    if (line->cursor >= line->lastchar) *cursor_row = at.row;
    *last_row = at.row;
    /* Rows that do not fit have scrolled off the top. */
    if (*cursor_row > height - 1) *cursor_row = height - 1;
    if (*last_row > height - 1) *last_row = height - 1;
}

/* Removes the line from a terminal that cannot move the cursor up: a single row is overwritten, a longer
 * line stays. */
static void hide_plainly(int last_row)
{
    if (last_row > 0) {
        putchar('\n');
        return;
    }
    printf("\r%*s\r", columns() - 1, "");
}

void line_editor_hide(line_editor *e)
{
    if (!e->editing || !e->shown) return;
    int row, last;
    measure(e, &row, &last);
    if (has_escapes) {
        putchar('\r');
        if (row > 0) printf("\033[%dA", row);
        fputs("\033[J", stdout);
    } else {
        hide_plainly(last);
    }
    fflush(stdout);
    e->shown = false;
}

void line_editor_show(line_editor *e)
{
    if (!e->editing || e->shown) return;
    el_resize(e->el);
    el_set(e->el, EL_REFRESH);
    e->shown = true;
}

void line_editor_lend_terminal(line_editor *e)
{
    (void)e;
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_before);
}

void line_editor_take_terminal(line_editor *e)
{
    el_set(e->el, EL_PREP_TERM, 0);
    el_set(e->el, EL_PREP_TERM, 1);
}

/* -- editing ------------------------------------------------------------------------- */

void line_editor_begin(line_editor *e, const char *prompt)
{
    char *copy = strdup(prompt);
    if (copy != NULL) {
        free(e->prompt);
        e->prompt = copy;
    }
    e->editing = true;
}

line_editor_event line_editor_next(line_editor *e, const char *typed, size_t len)
{
    if (len > e->typed_cap - e->typed_len) {
        char *grown = realloc(e->typed, e->typed_len + len);
        if (grown == NULL) return LINE_EDITOR_WAITS; /* the keys are lost; the line is not */
        e->typed = grown;
        e->typed_cap = e->typed_len + len;
    }
    if (len > 0) memcpy(e->typed + e->typed_len, typed, len);
    e->typed_len += len;
    enter(e);
    return e->event;
}

void line_editor_end_of_input(line_editor *e)
{
    e->input_ended = true;
}

const char *line_editor_text(line_editor *e, size_t *len, size_t *cursor)
{
    if (!e->editing) {
        *len = *cursor = e->line_len;
        return e->line ? e->line : "";
    }
    const LineInfo *line = el_line(e->el);
    *len = (size_t)(line->lastchar - line->buffer);
    *cursor = (size_t)(line->cursor - line->buffer);
    return line->buffer;
}

void line_editor_complete(line_editor *e, const char *text)
{
    free(e->completion);
    e->completion = strdup(text);
}

void line_editor_cancel(line_editor *e)
{
    e->typed_len = 0;
    if (!e->editing) return;
    if (e->shown) {
        int row, last;
        measure(e, &row, &last);
        if (last > row && has_escapes) printf("\033[%dB", last - row);
        fputs("^C\n", stdout);
        fflush(stdout);
    }
    e->cancelled = true;
    enter(e);
}

void line_editor_remember(line_editor *e, const char *entry)
{
    HistEvent event;
    history(e->history, &event, H_ENTER, entry);
}
