#include "sim/session/session.h"

#include <stdlib.h>
#include <string.h>

#include "sim/model/state.h"
#include "sim/model/subscription.h"
#include "sim/session/dialect.h"
#include "sim/session/fields.h"
#include "sim/wire/alloc.h"

/* The 0.11 server's write coalescing. */
#define FLUSH_MS 2
#define FLUSH_MESSAGES 500
#define FLUSH_BYTES (256 * 1024)

sim_session *sim_session_open(sim_node *node, const sim_transport *transport, void *transport_data)
{
    sim_session *s = sim_alloc(sizeof *s);
    s->node = node;
    s->number = ++node->cluster->sessions;
    s->transport = transport;
    s->transport_data = transport_data;
    s->delays.loop = node->cluster->loop;
    s->tokens = node->cluster->options->rate * 2;
    s->tokens_at_ms = s->opened_ms = s->last_ping_ms = sim_wall_ms();
    s->next = node->sessions;
    if (node->sessions != NULL) node->sessions->prev = s;
    node->sessions = s;
    node->open++;
    node->stats.opened++;
    bool asks = node->cluster->family == SIM_FAMILY_0_11 || !node->cluster->options->no_auth;
    if (asks) sim_session_send_now(s, sim_begin(node->cluster, WM_TYPE_AUTH_REQUIRED, 0));
    return s;
}

void sim_session_end(sim_session *s)
{
    sim_node *node = s->node;
    sim_unsubscribe_session(node->cluster->subscriptions, s);
    sim_delays_cancel(&s->delays);
    if (s->prev != NULL) s->prev->next = s->next;
    else node->sessions = s->next;
    if (s->next != NULL) s->next->prev = s->prev;
    node->open--;
    wm_buffer_close(&s->queue);
    while (s->trees != NULL) {
        sim_frozen_tree *next = s->trees->next;
        sim_frozen_tree_free(s->trees);
        s->trees = next;
    }
    free(s);
}

bool sim_session_ready(const sim_session *s)
{
    return s->authenticated || s->node->cluster->options->no_auth;
}

bool sim_session_spend(sim_session *s, double cost)
{
    double rate = s->node->cluster->options->rate;
    if (rate <= 0) return true;
    uint64_t now = sim_wall_ms();
    if (now > s->tokens_at_ms) s->tokens += (double)(now - s->tokens_at_ms) * rate / 1000;
    if (s->tokens > rate * 2) s->tokens = rate * 2;
    s->tokens_at_ms = now;
    if (s->tokens < cost) return false;
    s->tokens -= cost;
    return true;
}

/* -- sending -- */

static void put_le32(wm_buffer *b, uint32_t v)
{
    uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    wm_buffer_append(b, bytes, sizeof bytes);
}

/* One message leaves plainly, several as BATCH {count, data}. */
static void flush(sim_session *s)
{
    if (s->queued == 0) return;
    wm_buffer *queue = &s->queue;
    if (s->queued == 1) {
        s->transport->frame(s->transport_data, false, queue->data + 4, queue->len - 4);
    } else {
        wm_buffer batch, data;
        wm_buffer_init(&batch);
        wm_buffer_init(&data);
        put_le32(&data, s->queued);
        wm_buffer_append(&data, queue->data, queue->len);
        sim_put_map(&batch, SIM_FAMILY_0_11, 3);
        wm_message_write_type(&batch, WM_TYPE_BATCH);
        sim_put_text(&batch, "count");
        sim_put_uint(&batch, SIM_FAMILY_0_11, s->queued);
        sim_put_text(&batch, "data");
        wm_mp_write_bin(&batch, data.data, data.len);
        s->transport->frame(s->transport_data, false, batch.data, batch.len);
        wm_buffer_close(&data);
        wm_buffer_close(&batch);
    }
    wm_buffer_clear(queue);
    s->queued = 0;
}

static void flush_later(void *owner, const uint8_t *bytes, size_t len)
{
    sim_session *s = owner;
    (void)bytes;
    (void)len;
    s->flush_armed = false;
    flush(s);
}

void sim_session_send_now(sim_session *s, const wm_buffer *message)
{
    if (s->closing) return;
    if (message->len > s->node->cluster->dialect->max_answer) sim_session_close(s, 0, "");
    else s->transport->frame(s->transport_data, false, message->data, message->len);
}

void sim_session_send(sim_session *s, const wm_buffer *message)
{
    if (!s->node->cluster->dialect->coalesces) {
        sim_session_send_now(s, message);
        return;
    }
    if (s->closing) return;
    put_le32(&s->queue, (uint32_t)message->len);
    wm_buffer_append(&s->queue, message->data, message->len);
    s->queued++;
    if (s->queued >= FLUSH_MESSAGES || s->queue.len >= FLUSH_BYTES) {
        flush(s);
    } else if (!s->flush_armed) {
        s->flush_armed = true;
        sim_delay_call(&s->delays, FLUSH_MS, flush_later, s, NULL, 0);
    }
}

static void cut_off(void *owner, const uint8_t *bytes, size_t len)
{
    sim_session *s = owner;
    (void)bytes;
    (void)len;
    s->transport->drop(s->transport_data, false);
}

static void drop_event(sim_session *s)
{
    uint32_t most = s->node->cluster->dialect->drops_max;
    if (s->closing) return;
    s->node->stats.events_dropped++;
    if (++s->drops_in_a_row != most) return;
    s->closing = true;
    sim_delay_call(&s->delays, 0, cut_off, s, NULL, 0);
}

void sim_session_send_event(sim_session *s, const wm_buffer *message)
{
    uint32_t most = s->node->cluster->options->event_queue;
    if (most > 0 && s->events_waiting >= most) {
        drop_event(s);
        return;
    }
    s->drops_in_a_row = 0;
    s->events_waiting++;
    sim_session_send(s, message);
}

void sim_session_emptied(sim_session *s)
{
    s->events_waiting = 0;
}

void sim_session_send_text(sim_session *s, const wm_buffer *text)
{
    if (!s->closing) s->transport->frame(s->transport_data, true, text->data, text->len);
}

void sim_session_close(sim_session *s, int code, const char *reason)
{
    if (s->closing) return;
    flush(s);
    s->closing = true;
    s->transport->close(s->transport_data, code, reason);
}
