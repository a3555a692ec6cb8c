#ifndef SIM_QUERY_H
#define SIM_QUERY_H
#include "sim/model/store.h"
#include "sim/wire/encoding.h"

/* The queries that the simulated servers understand: `where` (equality; 0.11
 * also $gt $gte $lt $lte $ne), `predicate` (eq neq gt gte lt lte and or not),
 * `sort` (0.11 and 2.2.0: by one field), `limit`. */

/* How `sort` is written, and with it how rows are ordered. */
typedef enum sim_sort_form {
    SIM_SORT_MAP,  /* {field: "asc"}; 0.11 and 2.2.0 */
    SIM_SORT_LIST, /* [{field, direction}, ...]; head. The rows without the field come last, equal rows by key */
} sim_sort_form;

typedef struct sim_sort {
    char *field;
    size_t len;
    bool descending;
} sim_sort;

#define SIM_SORTS_MAX 4

typedef struct sim_query {
    sim_family family;
    sim_sort_form form;
    uint8_t *where; /* a map; NULL: none */
    size_t where_len;
    uint8_t *predicate; /* a map; wins over `where` */
    size_t predicate_len;
    sim_sort sorts[SIM_SORTS_MAX];
    uint32_t sort_count;
    bool has_limit;
    uint32_t limit; /* above 0, but for SIM_SORT_LIST */
} sim_query;

/* Parses the `query` field of QUERY_SUB, and copies what it needs. False when the family's schema
 * refuses it; nothing is to be closed then. */
bool sim_query_read(sim_family family, sim_sort_form form, const uint8_t *bytes, size_t len, sim_query *out);
/* Frees the copies. */
void sim_query_close(sim_query *q);
/* Whether a stored value (MessagePack) matches the query. Nil, a tombstone, never does. */
bool sim_query_matches(const sim_query *q, const uint8_t *value, size_t len);

/* The records of `map` that match and have not expired, sorted, at most `limit` of them. `map`
 * NULL has none. Records for which `keep` (NULL: none given) is false are passed over. The caller
 * frees the array, not the records; *count is its length, *cut whether the limit left some out. */
sim_record **sim_query_run(const sim_query *q, const sim_map *map, uint64_t wall_ms,
                           bool (*keep)(void *user, const sim_record *r), void *user, uint32_t *count,
                           bool *cut);
#endif
