#ifndef SIM_DEVICES_H
#define SIM_DEVICES_H
#include "base/msgpack.h"
#include "sim/model/state.h"
#include "wire/message.h"

/* The ids that head gives to clients' devices. A token that a device presents names the id that it got before;
 * for one that this cluster did not make, it gets a new id. */

/* How many fields sim_put_device writes: 0 where the dialect names no devices, 1 for a known one, else 2.
 * `token` is a field deviceToken, ABSENT when there is none. */
uint32_t sim_device_fields(const sim_session *s, const wm_mp_item *token);
/* Writes deviceId, and deviceToken when it is a new one. */
void sim_put_device(wm_buffer *b, sim_session *s, const wm_mp_item *token);
/* Handles DEVICE_HELLO: answers DEVICE_ACK when the cluster asks for no token. */
bool sim_on_device_hello(sim_session *s, const wm_message *m);
#endif
