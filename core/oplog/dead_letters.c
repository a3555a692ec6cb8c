#include "oplog/dead_letters.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define NODE_MAX 255u
#define REASON_MAX 1024u

typedef struct letter {
    uint64_t seq;
    uint32_t len;
    bool is_put; /* the hooks have stored it, or there are no hooks */
    uint8_t *bytes;
} letter;

struct wm_dead_letters {
    letter *room; /* `cap` places */
    letter *all;  /* the letters, by seq; in `room`, behind the places of displaced ones */
    uint32_t count;
    uint32_t cap;
    uint32_t not_put;
    size_t bytes;
    uint64_t displaced;
    wm_dead_letters_hooks hooks;
};

wm_dead_letters *wm_dead_letters_new(void)
{
    return calloc(1, sizeof(wm_dead_letters));
}

void wm_dead_letters_free(wm_dead_letters *d)
{
    if (d == NULL) return;
    for (uint32_t i = 0; i < d->count; i++) free(d->all[i].bytes);
    free(d->room);
    free(d);
}

void wm_dead_letters_keep(wm_dead_letters *d, wm_dead_letters_hooks hooks)
{
    d->hooks = hooks;
}

/* The place of the first letter with this seq or a later one. */
static uint32_t place_of(const wm_dead_letters *d, uint64_t seq)
{
    uint32_t low = 0, high = d->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->all[middle].seq < seq) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool is_at(const wm_dead_letters *d, uint32_t place, uint64_t seq)
{
    return place < d->count && d->all[place].seq == seq;
}

static void remove_at(wm_dead_letters *d, uint32_t place)
{
    uint64_t seq = d->all[place].seq;
    bool was_put = d->all[place].is_put;
    d->bytes -= d->all[place].len;
    free(d->all[place].bytes);
    d->count--;
    if (place == 0) d->all++;
    else memmove(d->all + place, d->all + place + 1, (d->count - place) * sizeof *d->all);
    if (!was_put) d->not_put--;
    else if (d->hooks.dropped != NULL) d->hooks.dropped(d->hooks.user, seq);
}

static bool put(wm_dead_letters *d, letter *l)
{
    l->is_put = d->hooks.put == NULL || d->hooks.put(d->hooks.user, l->seq, l->bytes, l->len);
    return l->is_put;
}

bool wm_dead_letters_put_all(wm_dead_letters *d)
{
    for (uint32_t i = 0; d->not_put > 0 && i < d->count; i++) {
        if (d->all[i].is_put) continue;
        if (!put(d, &d->all[i])) return false;
        d->not_put--;
    }
    return true;
}

/* Makes a place behind the last letter. */
static bool grow(wm_dead_letters *d)
{
    if (d->count > 0 && d->all + d->count < d->room + d->cap) return true;
    uint32_t cap = d->count < d->cap / 2 ? d->cap : (d->cap == 0 ? 16 : d->cap * 2);
    letter *room = malloc(cap * sizeof *room);
    if (room == NULL) return false;
    if (d->count > 0) memcpy(room, d->all, d->count * sizeof *room);
    free(d->room);
    d->room = d->all = room;
    d->cap = cap;
    return true;
}

/* Takes over `bytes`, of malloc, also when it fails. */
static int take(wm_dead_letters *d, uint64_t seq, uint8_t *bytes, size_t len)
{
    if (bytes == NULL || !grow(d)) {
        free(bytes);
        d->displaced++;
        return WM_ENOMEM;
    }
    uint32_t place = place_of(d, seq);
    memmove(d->all + place + 1, d->all + place, (d->count - place) * sizeof *d->all);
    d->all[place] = (letter){.seq = seq, .len = (uint32_t)len, .is_put = true, .bytes = bytes};
    d->count++;
    d->bytes += len;
    return WM_OK;
}

static void make_way(wm_dead_letters *d)
{
    while (d->count > 1 && (d->count > WM_DEAD_LETTERS_MAX || d->bytes > WM_DEAD_LETTERS_BYTES_MAX)) {
        remove_at(d, 0);
        d->displaced++;
    }
}

int wm_dead_letters_add(wm_dead_letters *d, const wm_oplog *log, const wm_op *op, const char *node, const void *reason,
                        size_t reason_len)
{
    size_t node_len = strlen(node);
    if (node_len > NODE_MAX) node_len = NODE_MAX;
    if (reason_len > REASON_MAX) reason_len = REASON_MAX;
    uint32_t op_len = op->len;
    size_t len = sizeof op_len + op_len + 1 + node_len + reason_len;
    uint8_t *bytes = malloc(len), *at = bytes;
    uint64_t seq = op->seq;
    if (bytes != NULL) {
        memcpy(at, &op_len, sizeof op_len);
        at = wm_oplog_write(log, op, at + sizeof op_len);
        *at++ = (uint8_t)node_len;
        memcpy(at, node, node_len);
        if (reason_len > 0) memcpy(at + node_len, reason, reason_len);
    }
    if (take(d, seq, bytes, len) < 0) return WM_ENOMEM;
    if (!put(d, &d->all[place_of(d, seq)])) d->not_put++;
    make_way(d);
    return WM_OK;
}

/* False when the bytes are no letter. */
static bool read_letter(uint64_t seq, const uint8_t *bytes, size_t len, wm_dead_letter *out)
{
    uint32_t op_len;
    if (len < sizeof op_len) return false;
    memcpy(&op_len, bytes, sizeof op_len);
    const uint8_t *op = bytes + sizeof op_len, *end = bytes + len;
    if (op_len >= (size_t)(end - op) || !wm_op_decode(op, op_len, &out->op)) return false;
    const uint8_t *node = op + op_len + 1;
    if (op[op_len] > (size_t)(end - node)) return false;
    out->seq = seq;
    out->node = (const char *)node;
    out->node_len = op[op_len];
    out->reason = out->node + out->node_len;
    out->reason_len = (size_t)(end - (const uint8_t *)out->reason);
    return true;
}

int wm_dead_letters_load(wm_dead_letters *d, uint64_t seq, const uint8_t *bytes, size_t len)
{
    wm_dead_letter read; /* only to check it */
    if (len > UINT32_MAX || is_at(d, place_of(d, seq), seq) || !read_letter(seq, bytes, len, &read)) return WM_EINVAL;
    uint8_t *copy = malloc(len);
    if (copy != NULL) memcpy(copy, bytes, len);
    return take(d, seq, copy, len);
}

bool wm_dead_letters_find(const wm_dead_letters *d, uint64_t seq, wm_dead_letter *out)
{
    uint32_t place = place_of(d, seq);
    if (!is_at(d, place, seq)) return false;
    wm_dead_letters_at(d, place, out);
    return true;
}

void wm_dead_letters_at(const wm_dead_letters *d, uint32_t place, wm_dead_letter *out)
{
    const letter *l = &d->all[place];
    (void)read_letter(l->seq, l->bytes, l->len, out); /* it was checked when it was added */
}

bool wm_dead_letters_drop(wm_dead_letters *d, uint64_t seq)
{
    uint32_t place = place_of(d, seq);
    if (!is_at(d, place, seq)) return false;
    remove_at(d, place);
    return true;
}

uint32_t wm_dead_letters_count(const wm_dead_letters *d)
{
    return d->count;
}

uint64_t wm_dead_letters_displaced(const wm_dead_letters *d)
{
    return d->displaced;
}
