#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/state.h"

static int add(wm_client *c, const char *query_id, wm_map *map)
{
    wm_subscription *grown = realloc(c->subscriptions.all, (c->subscriptions.count + 1) * sizeof *grown);
    if (grown == NULL) return WM_ENOMEM;
    c->subscriptions.all = grown;
    wm_subscription *added = &grown[c->subscriptions.count];
    *added = (wm_subscription){strdup(query_id), map};
    if (added->id == NULL) return WM_ENOMEM;
    c->subscriptions.count++;
    return WM_OK;
}

int wm_client_subscribed(wm_client *c, const char *query_id)
{
    return add(c, query_id, NULL);
}

int wm_map_subscribed(wm_map *m, const char *query_id)
{
    return add(m->client, query_id, m);
}

const wm_subscription *wm_client_subscription(const wm_client *c, const char *query_id, size_t len)
{
    for (uint32_t i = 0; i < c->subscriptions.count; i++) {
        const wm_subscription *s = &c->subscriptions.all[i];
        if (strlen(s->id) == len && memcmp(s->id, query_id, len) == 0) return s;
    }
    return NULL;
}

void wm_client_free_subscriptions(wm_client *c)
{
    for (uint32_t i = 0; i < c->subscriptions.count; i++) free(c->subscriptions.all[i].id);
    free(c->subscriptions.all);
}
