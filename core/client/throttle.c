/* The throttle: a pause after an overload, per connection. */
#include "client/state.h"

#define THROTTLE_FIRST_US 50000u
#define THROTTLE_MAX_US 2000000u

void wm_client_throttle(wm_client *c, int connection)
{
    wm_client_connection *state = &c->connections.all[connection];
    state->backoff_us = state->backoff_us ? state->backoff_us * 2 : THROTTLE_FIRST_US;
    if (state->backoff_us > THROTTLE_MAX_US) state->backoff_us = THROTTLE_MAX_US;
    state->throttled_until_us = c->now_us + state->backoff_us;
}
