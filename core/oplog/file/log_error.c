#include "oplog/file/log_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *wm_log_problem_name(wm_log_problem problem)
{
    static const char *const names[] = {
#define X(name, text) text,
        WM_LOG_PROBLEMS(X)
#undef X
    };
    return names[problem];
}

bool wm_log_fail(wm_log_error *e, wm_log_problem problem, const char *format, ...)
{
    va_list arguments;
    e->problem = problem;
    va_start(arguments, format);
    vsnprintf(e->text, sizeof e->text, format, arguments);
    va_end(arguments);
    return false;
}

bool wm_log_fail_io(wm_log_error *e, int code)
{
    if (code == ENOMEM) return wm_log_fail(e, WM_LOG_MEMORY, "out of memory");
    if (code == ENOSPC || code == EDQUOT || code == EFBIG) return wm_log_fail(e, WM_LOG_IO, "the disk is full");
    return wm_log_fail(e, WM_LOG_IO, "%s", strerror(code));
}
