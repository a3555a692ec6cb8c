#ifndef SIM_QUERY_H
#define SIM_QUERY_H
#include "sim/model/store.h"
#include "sim/wire/encoding.h"

/* The queries that the simulated servers understand: `where` (equality; 0.11
 * also $gt $gte $lt $lte $ne), simple predicates (eq neq gt gte lt lte and or
 * not), `sort` by one field, `limit`. */
typedef struct sim_query {
    sim_family family;
    uint8_t *where; /* a map; NULL: none */
    size_t where_len;
    uint8_t *predicate; /* a map; wins over `where` */
    size_t predicate_len;
    char *sort_field; /* NULL: none */
    size_t sort_field_len;
    bool sort_descending;
    uint32_t limit; /* 0: none */
} sim_query;

/* Reads the `query` field. False when the family's schema refuses it. */
bool sim_query_read(sim_family family, const uint8_t *bytes, size_t len, sim_query *out);
void sim_query_close(sim_query *q);
/* Whether a value, as it is stored, belongs to the result. Nil never does. */
bool sim_query_matches(const sim_query *q, const uint8_t *value, size_t len);

/* The records of `map` (NULL: nothing) that match, sorted and cut; `keep` says
 * which to look at, NULL: all. An array to be freed, *count its length, *cut
 * whether the limit left some out. */
sim_record **sim_query_run(const sim_query *q, const sim_map *map, uint64_t wall_ms,
                           bool (*keep)(void *user, const sim_record *r), void *user, uint32_t *count,
                           bool *cut);
#endif
