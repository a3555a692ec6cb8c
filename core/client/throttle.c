/* A pause after an overload, per connection. */
#include "client/state.h"

#define PAUSE_FIRST_US 50000u
#define PAUSE_MAX_US 2000000u

void wm_client_slow_down(wm_client *c, int lane)
{
    wm_pace *pace = &c->throttle.paces[lane];
    pace->backoff_us = pace->backoff_us ? pace->backoff_us * 2 : PAUSE_FIRST_US;
    if (pace->backoff_us > PAUSE_MAX_US) pace->backoff_us = PAUSE_MAX_US;
    pace->paused_until_us = c->now_us + pace->backoff_us;
}
