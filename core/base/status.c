#include "base/status.h"

const char *wm_status_text(int status)
{
    switch (status) {
#define X(name, number, code, text) \
    case WM_##name: return text;
        WM_STATUSES(X)
#undef X
    default: return "unknown error";
    }
}
