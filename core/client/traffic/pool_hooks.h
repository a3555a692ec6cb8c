#ifndef WM_POOL_HOOKS_H
#define WM_POOL_HOOKS_H
#include "client/state.h"

/* What connections do: what the client's node pool calls, with the client as `user`. */
extern const wm_node_connection_events wm_client_pool_events;
#endif
