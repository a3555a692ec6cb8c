#ifndef WM_ACK_HOOKS_H
#define WM_ACK_HOOKS_H
#include "client/state.h"

/* The hooks of the client's batcher. */
wm_batcher_hooks wm_client_batcher_hooks(wm_client *c);
#endif
