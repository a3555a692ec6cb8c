#ifndef SIM_SUBSCRIPTION_H
#define SIM_SUBSCRIPTION_H
#include "sim/model/names.h"
#include "sim/model/query.h"
#include "sim/model/state.h"

/* The subscriptions (live queries) of all sessions, by map. */

typedef struct sim_subscription {
    struct sim_subscription *next_of_session;
    struct sim_subscription *next_of_map;
    sim_session *session;
    const sim_name *map;
    char *id;
    size_t id_len;
    sim_query query;
    bool matched;    /* scratch: whether the record that is about to change matches, */
    bool was_number; /* and whether its value is a number */
} sim_subscription;

#define SIM_SUBSCRIPTION_BUCKETS 256

typedef struct sim_subscribed_map {
    struct sim_subscribed_map *next;
    const sim_name *map;
    sim_subscription *first;
} sim_subscribed_map;

typedef struct sim_subscriptions {
    sim_subscribed_map *buckets[SIM_SUBSCRIPTION_BUCKETS];
} sim_subscriptions;

/* Frees the table. All sessions have to have ended before. */
void sim_subscriptions_close(sim_subscriptions *all);
/* Adds a subscription, which owns `query` from now on and copies `id`. It replaces one of the same
 * session and id. The pointer lives until the subscription or its session ends. */
sim_subscription *sim_subscribe(sim_subscriptions *all, sim_session *s, const sim_name *map, const char *id,
                                size_t id_len, sim_query query);
/* Ends the subscriptions with this id of all sessions at the node of `s`: the server knows a
 * subscription by its id alone. */
void sim_unsubscribe(sim_subscriptions *all, sim_session *s, const char *id, size_t id_len);
/* Ends one subscription, and frees it. */
void sim_unsubscribe_one(sim_subscriptions *all, sim_subscription *sub);
/* Ends all subscriptions of the session. */
void sim_unsubscribe_session(sim_subscriptions *all, sim_session *s);
/* The first subscription of a map, whose next_of_map leads to the others; NULL for none. */
sim_subscription *sim_subscribers(const sim_subscriptions *all, const sim_name *map);
#endif
