#ifndef WM_ACK_HOOKS_H
#define WM_ACK_HOOKS_H
#include "client/state.h"

/* What happens to operations, for whoever keeps the books: what the client's batcher calls. */
wm_batcher_hooks wm_client_batcher_hooks(wm_client *c);
#endif
