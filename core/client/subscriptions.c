#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"

int wm_client_subscribed(wm_client *c, const char *query_id)
{
    char **grown = realloc(c->subscriptions, (c->subscription_count + 1) * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    c->subscriptions = grown;
    grown[c->subscription_count] = strdup(query_id);
    if (grown[c->subscription_count] == NULL) return WM_ENOMEM;
    c->subscription_count++;
    return WM_OK;
}

bool wm_client_is_subscription(const wm_client *c, const char *query_id, size_t len)
{
    for (uint32_t i = 0; i < c->subscription_count; i++)
        if (strlen(c->subscriptions[i]) == len && memcmp(c->subscriptions[i], query_id, len) == 0) return true;
    return false;
}

void wm_client_free_subscriptions(wm_client *c)
{
    for (uint32_t i = 0; i < c->subscription_count; i++) free(c->subscriptions[i]);
    free(c->subscriptions);
}
