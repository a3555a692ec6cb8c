#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"

int wm_client_subscribed(wm_client *c, const char *query_id)
{
    char **grown = realloc(c->subscriptions.ids, (c->subscriptions.count + 1) * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    c->subscriptions.ids = grown;
    grown[c->subscriptions.count] = strdup(query_id);
    if (grown[c->subscriptions.count] == NULL) return WM_ENOMEM;
    c->subscriptions.count++;
    return WM_OK;
}

void wm_client_begins_to_hear(wm_client *c, int connection)
{
    c->connections.all[connection].hears_since_ms = wm_client_record_ms(c);
}

bool wm_client_is_subscription(const wm_client *c, const char *query_id, size_t len)
{
    for (uint32_t i = 0; i < c->subscriptions.count; i++)
        if (strlen(c->subscriptions.ids[i]) == len && memcmp(c->subscriptions.ids[i], query_id, len) == 0) return true;
    return false;
}

void wm_client_free_subscriptions(wm_client *c)
{
    for (uint32_t i = 0; i < c->subscriptions.count; i++) free(c->subscriptions.ids[i]);
    free(c->subscriptions.ids);
}
