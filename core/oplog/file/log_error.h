#ifndef WM_LOG_ERROR_H
#define WM_LOG_ERROR_H
#include <stdbool.h>

/* What can be wrong with a file, and what a program calls it. */
#define WM_LOG_PROBLEMS(X)                                                                    \
    X(NONE, "none")                                                                           \
    X(IO, "io") /* the system cannot open, read or write the file */                          \
    X(MEMORY, "memory")                                                                       \
    X(BUSY, "busy")             /* another client has it open */                              \
    X(NOT_A_LOG, "not_a_log")   /* it is another kind of file */                              \
    X(OLD_FORMAT, "old_format") /* written by an earlier version of Wingman */                \
    X(NEW_FORMAT, "new_format") /* written by a later one */                                  \
    X(DAMAGED, "damaged")                                                                     \
    X(OTHER_CLIENT, "other_client") /* its operations have another client id */               \
    X(REMOVED, "removed")           /* while it was open */                                   \
    X(REPLACED, "replaced")         /* while it was open, another file was put at its path */ \
    X(CHANGED, "changed")           /* while it was open, something else changed its size */

typedef enum wm_log_problem {
#define X(name, text) WM_LOG_##name,
    WM_LOG_PROBLEMS(X)
#undef X
} wm_log_problem;

typedef struct wm_log_error {
    wm_log_problem problem;
    char text[256]; /* what is wrong; not the file's name */
} wm_log_error;

/* The name of a problem, for programs. Static. */
const char *wm_log_problem_name(wm_log_problem problem);
/* Fills in the error, as printf does. Always false. */
bool wm_log_fail(wm_log_error *e, wm_log_problem problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fills in the error for an errno value. Always false. */
bool wm_log_fail_io(wm_log_error *e, int code);
#endif
