#include "sim/model/subscription.h"

#include <stdlib.h>
#include <string.h>

#include "sim/model/state.h"
#include "sim/wire/alloc.h"

static sim_subscribed_map *find_map(const sim_subscriptions *all, const sim_name *map)
{
    sim_subscribed_map *m = all->buckets[map->hash % SIM_SUBSCRIPTION_BUCKETS];
    while (m != NULL && m->map != map) m = m->next;
    return m;
}

static void unlink_from_map(sim_subscriptions *all, sim_subscription *sub)
{
    sim_subscription **at = &find_map(all, sub->map)->first;
    while (*at != sub) at = &(*at)->next_of_map;
    *at = sub->next_of_map;
}

/* `at` points to the subscription in its session's list. */
static void end(sim_subscriptions *all, sim_subscription **at)
{
    sim_subscription *sub = *at;
    *at = sub->next_of_session;
    unlink_from_map(all, sub);
    sim_query_close(&sub->query);
    free(sub->id);
    free(sub);
}

static void end_named(sim_subscriptions *all, sim_session *s, const char *id, size_t id_len)
{
    for (sim_subscription **at = &s->subscriptions; *at != NULL;) {
        if ((*at)->id_len == id_len && memcmp((*at)->id, id, id_len) == 0) end(all, at);
        else at = &(*at)->next_of_session;
    }
}

void sim_subscriptions_close(sim_subscriptions *all)
{
    for (int i = 0; i < SIM_SUBSCRIPTION_BUCKETS; i++) {
        while (all->buckets[i] != NULL) {
            sim_subscribed_map *next = all->buckets[i]->next;
            free(all->buckets[i]);
            all->buckets[i] = next;
        }
    }
}

sim_subscription *sim_subscribe(sim_subscriptions *all, sim_session *s, const sim_name *map, const char *id,
                                size_t id_len, sim_query query)
{
    end_named(all, s, id, id_len);
    sim_subscribed_map *m = find_map(all, map);
    if (m == NULL) {
        sim_subscribed_map **bucket = &all->buckets[map->hash % SIM_SUBSCRIPTION_BUCKETS];
        m = sim_alloc(sizeof *m);
        m->map = map;
        m->next = *bucket;
        *bucket = m;
    }
    sim_subscription *sub = sim_alloc(sizeof *sub);
    sub->session = s;
    sub->map = map;
    sub->id = sim_copy(id, id_len);
    sub->id_len = id_len;
    sub->query = query;
    sub->next_of_session = s->subscriptions;
    s->subscriptions = sub;
    sub->next_of_map = m->first;
    m->first = sub;
    return sub;
}

void sim_unsubscribe(sim_subscriptions *all, sim_session *s, const char *id, size_t id_len)
{
    for (sim_session *one = s->node->sessions; one != NULL; one = one->next) end_named(all, one, id, id_len);
}

void sim_unsubscribe_one(sim_subscriptions *all, sim_subscription *sub)
{
    sim_subscription **at = &sub->session->subscriptions;
    while (*at != sub) at = &(*at)->next_of_session;
    end(all, at);
}

void sim_unsubscribe_session(sim_subscriptions *all, sim_session *s)
{
    while (s->subscriptions != NULL) end(all, &s->subscriptions);
}

sim_subscription *sim_subscribers(const sim_subscriptions *all, const sim_name *map)
{
    sim_subscribed_map *m = find_map(all, map);
    return m != NULL ? m->first : NULL;
}
