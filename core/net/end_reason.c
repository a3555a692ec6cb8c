#include "net/end_reason.h"

static const char *const keys[] = {
#define X(name, key, text) key,
    WM_END_REASONS(X)
#undef X
};

const char *wm_end_reason_key(wm_end_reason reason)
{
    return keys[reason];
}
