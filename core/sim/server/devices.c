#include "sim/server/devices.h"

#include <stdio.h>
#include <string.h>

#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/session/session.h"
#include "sim/wire/compare.h"

#define ID_LEN 36
#define TOKEN_LEN (ID_LEN + 1 + 8) /* the id, a dot, and a hash of the id and the cluster's secret */

static void write_token(const sim_cluster *c, const char *id, char out[TOKEN_LEN + 1])
{
    uint32_t hash = wm_hash_fnv1a_more(wm_hash_fnv1a(id, ID_LEN), c->options->secret, strlen(c->options->secret));
    snprintf(out, TOKEN_LEN + 1, "%.*s.%08x", ID_LEN, id, hash);
}

static bool is_known(const sim_session *s, const wm_mp_item *token)
{
    char expected[TOKEN_LEN + 1];
    if (token->kind != WM_MP_STR || token->len != TOKEN_LEN) return false;
    write_token(s->node->cluster, (const char *)token->bytes, expected);
    return memcmp(expected, token->bytes, TOKEN_LEN) == 0;
}

uint32_t sim_device_fields(const sim_session *s, const wm_mp_item *token)
{
    if (!s->node->cluster->dialect->names_devices) return 0;
    return is_known(s, token) ? 1 : 2;
}

static uint32_t random_16(sim_cluster *c)
{
    return sim_random(c, UINT32_C(1) << 16);
}

void sim_put_device(wm_buffer *b, sim_session *s, const wm_mp_item *token)
{
    sim_cluster *c = s->node->cluster;
    char id[ID_LEN + 1], minted[TOKEN_LEN + 1];
    if (!c->dialect->names_devices) return;
    if (is_known(s, token)) {
        sim_put_pair(b, "deviceId", (const char *)token->bytes, ID_LEN);
        return;
    }
    snprintf(id, sizeof id, "%04x%04x-%04x-4%03x-a%03x-%04x%04x%04x", random_16(c), random_16(c), random_16(c),
             random_16(c) >> 4, random_16(c) >> 4, random_16(c), random_16(c), random_16(c));
    write_token(c, id, minted);
    sim_put_pair(b, "deviceId", id, ID_LEN);
    sim_put_pair(b, "deviceToken", minted, TOKEN_LEN);
}

bool sim_on_device_hello(sim_session *s, const wm_message *m)
{
    sim_cluster *c = s->node->cluster;
    const uint8_t *field;
    size_t len;
    if (!c->dialect->names_devices) return false;
    if (!c->options->no_auth) return true;
    wm_mp_find(m->body, m->body_len, "deviceToken", &field, &len);
    wm_mp_item token = sim_item_of(field, len);
    wm_buffer *b = sim_begin(c, WM_TYPE_DEVICE_ACK, sim_device_fields(s, &token));
    sim_put_device(b, s, &token);
    sim_session_send_now(s, b);
    return true;
}
