/* `inject` and `take-frames`: sessions without sockets, for specs that compare frames.
 * `send`: bytes that no server would send, to the clients that have sockets. */
#include "sim/control/control_inject.h"

#include <stdlib.h>
#include <string.h>

#include "sim/server/dispatch.h"
#include "sim/server/socket.h"
#include "sim/session/session.h"
#include "sim/wire/alloc.h"
#include "sim/wire/json.h"

/* The most times that one `send` repeats its bytes. */
#define MOST_TIMES 10000

typedef struct sim_injected {
    struct sim_injected *next;
    char *name;
    sim_session *session; /* NULL once it has ended */
    wm_buffer frames;     /* elements of a JSON array */
    wm_buffer closed;     /* {"code":..,"reason":..}, empty while it is open */
} sim_injected;

static void transport_frame(void *transport, bool text, const uint8_t *bytes, size_t len)
{
    sim_injected *i = transport;
    sim_json_printf(&i->frames, "%s{\"text\":%s,\"hex\":", i->frames.len > 0 ? "," : "", text ? "true" : "false");
    sim_json_hex(&i->frames, bytes, len);
    sim_json_raw(&i->frames, "}");
    if (i->session != NULL) sim_session_emptied(i->session); /* memory takes everything at once */
}

static void note_close(sim_injected *i, int code, const char *reason)
{
    if (i->closed.len > 0) return;
    sim_json_printf(&i->closed, "{\"code\":%d,\"reason\":", code);
    sim_json_string(&i->closed, reason, strlen(reason));
    sim_json_raw(&i->closed, "}");
}

/* The session stays until it is dropped: its handler may still be running. */
static void transport_close(void *transport, int code, const char *reason)
{
    note_close(transport, code != 0 ? code : 1005, reason);
}

static void transport_drop(void *transport, bool reset)
{
    sim_injected *i = transport;
    note_close(i, 1006, reset ? "reset" : "");
    sim_session_end(i->session);
    i->session = NULL;
}

static const sim_transport memory_transport = {transport_frame, transport_close, transport_drop};

static sim_injected *find(sim_control *k, const char *name)
{
    sim_injected *i = k->injected;
    while (i != NULL && strcmp(i->name, name) != 0) i = i->next;
    return i;
}

static sim_injected *open_connection(sim_control *k, const char *id, const char *name)
{
    sim_node *n = sim_control_node(k, id);
    if (n == NULL) return NULL;
    if (!n->running) {
        sim_control_fail(k, "%s is not running", id);
        return NULL;
    }
    sim_injected *i = sim_alloc(sizeof *i);
    i->name = sim_copy(name, strlen(name));
    i->next = k->injected;
    k->injected = i;
    i->session = sim_session_open(n, &memory_transport, i);
    return i;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static bool read_hex(sim_control *k, const char *hex, wm_buffer *out)
{
    size_t len = strlen(hex);
    for (size_t i = 0; i + 1 < len; i += 2) {
        int high = digit(hex[i]), low = digit(hex[i + 1]);
        if (high < 0 || low < 0) break;
        uint8_t byte = (uint8_t)(high << 4 | low);
        wm_buffer_append(out, &byte, 1);
    }
    return out->len * 2 == len || sim_control_fail(k, "frame: pairs of lower-case hex digits are expected");
}

static bool inject(sim_control *k, int argc, char **argv, bool text)
{
    sim_injected *i = find(k, argv[1]);
    if (i == NULL && (i = open_connection(k, argv[0], argv[1])) == NULL) return false;
    wm_buffer frame;
    wm_buffer_init(&frame);
    bool ok = true;
    for (int n = 2; n < argc && ok; n++) {
        wm_buffer_clear(&frame);
        if (i->session == NULL) ok = sim_control_fail(k, "connection '%s' has ended", argv[1]);
        else if ((ok = read_hex(k, argv[n], &frame))) sim_session_receive(i->session, text, frame.data, frame.len);
    }
    wm_buffer_close(&frame);
    return ok;
}

bool sim_control_inject(sim_control *k, int argc, char **argv)
{
    return inject(k, argc, argv, false);
}

bool sim_control_inject_text(sim_control *k, int argc, char **argv)
{
    return inject(k, argc, argv, true);
}

bool sim_control_send(sim_control *k, int argc, char **argv)
{
    static const struct {
        const char *name;
        sim_sent_as as;
    } forms[] = {{"binary", SIM_SENT_BINARY}, {"text", SIM_SENT_TEXT}, {"raw", SIM_SENT_RAW}};
    sim_node *n = sim_control_node(k, argv[0]);
    if (n == NULL) return false;
    size_t form = 0;
    while (form < sizeof forms / sizeof *forms && strcmp(forms[form].name, argv[1]) != 0) form++;
    if (form == sizeof forms / sizeof *forms)
        return sim_control_fail(k, "send: expected binary, text or raw, got '%s'", argv[1]);
    uint64_t times = 1;
    if (argc > 3 && !sim_control_number(k, "send", argv[3], MOST_TIMES, &times)) return false;
    wm_buffer bytes;
    wm_buffer_init(&bytes);
    bool ok = argc < 3 || read_hex(k, argv[2], &bytes);
    for (uint64_t i = 0; ok && i < times; i++) sim_sockets_send(n, forms[form].as, bytes.data, bytes.len);
    wm_buffer_close(&bytes);
    return ok;
}

bool sim_control_take_frames(sim_control *k, int argc, char **argv)
{
    sim_injected *i = find(k, argv[0]);
    (void)argc;
    if (i == NULL) return sim_control_fail(k, "unknown connection '%s'", argv[0]);
    sim_json_raw(&k->answer, ",\"frames\":[");
    wm_buffer_append(&k->answer, i->frames.data, i->frames.len);
    sim_json_raw(&k->answer, "]");
    if (i->closed.len > 0) {
        sim_json_raw(&k->answer, ",\"closed\":");
        wm_buffer_append(&k->answer, i->closed.data, i->closed.len);
    }
    wm_buffer_clear(&i->frames);
    return true;
}

void sim_control_close_injected(sim_control *k)
{
    while (k->injected != NULL) {
        sim_injected *i = k->injected;
        k->injected = i->next;
        if (i->session != NULL) sim_session_end(i->session);
        wm_buffer_close(&i->frames);
        wm_buffer_close(&i->closed);
        free(i->name);
        free(i);
    }
}
