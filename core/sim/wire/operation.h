#ifndef SIM_OPERATION_H
#define SIM_OPERATION_H
#include "base/msgpack.h"
#include "sim/wire/encoding.h"

/* A write as it stands in CLIENT_OP and OP_BATCH. */

typedef struct sim_span {
    const char *p; /* NULL: absent */
    size_t len;
} sim_span;

typedef struct sim_op {
    sim_span id;
    sim_span map;
    sim_span key;
    bool is_remove; /* opType REMOVE */
    bool is_or;     /* an OR-map operation, by the rule of the family */
    bool has_record;
    const uint8_t *value; /* of the record */
    size_t value_len;
    uint64_t millis;
    uint64_t counter;
    sim_span node;
    double ttl_ms; /* 0: none */
} sim_op;

/* Reads one operation, which is in the family's encoding, and checks it as that
 * family does. False when its schema refuses it. Spans point into the input. */
bool sim_op_read(sim_family family, wm_mp_reader *r, sim_op *out);
#endif
