#include "sim/wire/payload.h"

#include "sim/wire/compare.h"

wm_mp_item sim_payload_item(const wm_message *m, const char *name)
{
    const uint8_t *field = NULL;
    size_t len = 0;
    if (m->payload != NULL) wm_mp_find(m->payload, m->payload_len, name, &field, &len);
    return sim_item_of(field, len);
}
