#ifndef SIM_SUBSCRIPTION_H
#define SIM_SUBSCRIPTION_H
#include "sim/model/names.h"
#include "sim/model/query.h"
#include "sim/model/state.h"

/* Who listens to which map: the live queries of all sessions. */

typedef struct sim_subscription {
    struct sim_subscription *next_of_session;
    struct sim_subscription *next_of_map;
    sim_session *session;
    const sim_name *map;
    char *id;
    size_t id_len;
    sim_query query;
    bool matched; /* scratch: whether the record that is about to change matches */
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

void sim_subscriptions_close(sim_subscriptions *all);
/* Adds one; takes `query` over. One of the same session and id is replaced. */
sim_subscription *sim_subscribe(sim_subscriptions *all, sim_session *s, const sim_name *map, const char *id,
                                size_t id_len, sim_query query);
/* Ends all subscriptions of this id at the session's node: ids are the
 * server's, not the connection's. */
void sim_unsubscribe(sim_subscriptions *all, sim_session *s, const char *id, size_t id_len);
void sim_unsubscribe_one(sim_subscriptions *all, sim_subscription *sub);
void sim_unsubscribe_session(sim_subscriptions *all, sim_session *s);
/* The first subscription of a map, NULL when nobody listens. */
sim_subscription *sim_subscribers(const sim_subscriptions *all, const sim_name *map);
#endif
