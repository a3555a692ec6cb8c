#ifndef SIM_OPERATION_H
#define SIM_OPERATION_H
#include "base/msgpack.h"
#include "sim/wire/encoding.h"

/* An operation as CLIENT_OP and OP_BATCH carry it. */

typedef struct sim_span {
    const char *p; /* NULL: absent */
    size_t len;
} sim_span;

typedef struct sim_op {
    sim_span id;
    sim_span map;
    sim_span key;
    bool is_remove; /* opType REMOVE */
    bool is_or;     /* an operation on an OR-map, as the family tells it */
    bool has_record;
    const uint8_t *value; /* of the record, MessagePack; nil without one */
    size_t value_len;
    uint64_t millis; /* millis, counter and node are the record's timestamp */
    uint64_t counter;
    sim_span node;
    double ttl_ms; /* 0: none */
} sim_op;

/* Reads one operation that sim_recode has encoded, and checks it by the family's schema. False when
 * the schema refuses it. Spans and value point into the input. */
bool sim_op_read(sim_family family, wm_mp_reader *r, sim_op *out);
#endif
