#ifndef SIM_PAYLOAD_H
#define SIM_PAYLOAD_H
#include "base/msgpack.h"
#include "wire/message.h"

/* The scalar or header of a field of a message's payload; ABSENT when it is not there. */
wm_mp_item sim_payload_item(const wm_message *m, const char *name);
#endif
