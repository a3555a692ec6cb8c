#include "cluster/merkle_sums.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define PLACES (1 + 16 + 256 + 4096)
#define FIRST_SLOTS 64
#define GOLDEN UINT32_C(0x9e3779b1)

/* The place of one partition's tree. It is there while items are below it: the table neither grows with
 * places that hold nothing any more, nor takes one whose hash is 0 by chance for empty. */
typedef struct slot {
    uint32_t code;  /* code_of; 0: a free slot */
    uint32_t items; /* below the place */
    uint32_t hash;
} slot;

struct wm_merkle_sums {
    wm_merkle_rule rule;
    uint32_t partitions;
    uint32_t answers[PLACES]; /* by place_of: what the server answers */
    slot *slots;              /* a hash table with open addressing; WM_MERKLE_MIXED only */
    uint32_t slot_count;      /* a power of two, 0 at first */
    uint32_t used;
};

/* -- items -- */

/* Writes ":<number>" so that it ends before `end`; where it begins. */
static char *put_before(char *end, uint64_t v)
{
    do *--end = (char)('0' + v % 10);
    while (v /= 10);
    *--end = ':';
    return end;
}

uint32_t wm_merkle_item(wm_hash_kind kind, uint32_t key_hash, const char *key, size_t len, const wm_timestamp *stamp)
{
    char numbers[1 + 20 + 1 + 20 + 1], *end = numbers + sizeof numbers;
    end[-1] = ':';
    char *p = put_before(put_before(end - 1, stamp->counter), stamp->millis);
    size_t n = (size_t)(end - p);
    wm_hash_part parts[] = {{key, len}, {p, n}, {stamp->node, stamp->node_len}};
    if (kind == WM_HASH_XXH64) return wm_hash_xxh64_parts(parts, 3);
    return wm_hash_fnv1a_more(wm_hash_fnv1a_more(key_hash, p, n), stamp->node, stamp->node_len);
}

/* -- places -- */

static uint32_t place_of(uint32_t depth, uint32_t digits)
{
    static const uint32_t first[] = {0, 1, 1 + 16, 1 + 16 + 256};
    return first[depth] + digits;
}

static uint32_t digits_of(uint32_t key_hash, uint32_t depth)
{
    return (uint32_t)((uint64_t)key_hash >> (32 - 4 * depth));
}

/* The finalizer of MurmurHash3. It maps 0 to 0, so that an empty place adds nothing. */
static uint32_t fmix32(uint32_t h)
{
    h = (h ^ h >> 16) * UINT32_C(0x85ebca6b);
    h = (h ^ h >> 13) * UINT32_C(0xc2b2ae35);
    return h ^ h >> 16;
}

/* -- the table of the partitions' places -- */

/* The digits of a path stand behind a 1, which tells depths apart: below 2^13. Never 0. */
static uint32_t code_of(uint32_t partition, uint32_t depth, uint32_t digits)
{
    return partition << 13 | UINT32_C(1) << 4 * depth | digits;
}

static uint32_t home(const wm_merkle_sums *s, uint32_t code)
{
    uint32_t h = code * GOLDEN;
    return (h ^ h >> 16) & (s->slot_count - 1);
}

/* Where the code stands, or the free slot for it. */
static slot *find(const wm_merkle_sums *s, uint32_t code)
{
    uint32_t i = home(s, code);
    while (s->slots[i].code != 0 && s->slots[i].code != code) i = (i + 1) & (s->slot_count - 1);
    return &s->slots[i];
}

static bool grow(wm_merkle_sums *s)
{
    uint32_t before = s->slot_count;
    if (before > UINT32_MAX / 2) return false;
    slot *old = s->slots, *slots = calloc(before > 0 ? (size_t)before * 2 : FIRST_SLOTS, sizeof *slots);
    if (slots == NULL) return false;
    s->slots = slots;
    s->slot_count = before > 0 ? before * 2 : FIRST_SLOTS;
    for (uint32_t i = 0; i < before; i++)
        if (old[i].code != 0) *find(s, old[i].code) = old[i];
    free(old);
    return true;
}

/* Room for the places of one more item, with a quarter of the slots free. */
static bool reserve(wm_merkle_sums *s)
{
    return s->used + WM_MERKLE_DEPTH + 1 <= s->slot_count / 4 * 3 || grow(s);
}

/* Frees the slot, and moves back every later one that may stand there. */
static void drop(wm_merkle_sums *s, const slot *gone)
{
    uint32_t mask = s->slot_count - 1, gap = (uint32_t)(gone - s->slots);
    for (uint32_t i = (gap + 1) & mask; s->slots[i].code != 0; i = (i + 1) & mask) {
        uint32_t wants = home(s, s->slots[i].code);
        if (((i - wants) & mask) < ((i - gap) & mask)) continue;
        s->slots[gap] = s->slots[i];
        gap = i;
    }
    s->slots[gap] = (slot){0};
    s->used--;
}

/* Adds to the hash and to the items of a partition's place; the change of its mixed hash. */
static uint32_t shift(wm_merkle_sums *s, uint32_t code, uint32_t difference, int32_t items)
{
    slot *at = find(s, code);
    if (at->code == 0) {
        at->code = code;
        s->used++;
    }
    uint32_t before = at->hash, after = before + difference;
    at->hash = after;
    at->items += (uint32_t)items;
    if (at->items == 0) drop(s, at);
    return fmix32(after) - fmix32(before);
}

/* -- items come and go -- */

static void shift_plain(wm_merkle_sums *s, uint32_t key_hash, uint32_t difference)
{
    for (uint32_t depth = 0; depth <= WM_MERKLE_DEPTH; depth++)
        s->answers[place_of(depth, digits_of(key_hash, depth))] += difference;
}

/* From the leaf to the root: the change of a place's mixed hash is that of its parent's hash, and that of
 * the answer. */
static void shift_mixed(wm_merkle_sums *s, uint32_t key_hash, uint32_t difference, int32_t items)
{
    uint32_t partition = key_hash % s->partitions;
    for (uint32_t depth = WM_MERKLE_DEPTH + 1; depth-- > 0;) {
        uint32_t digits = digits_of(key_hash, depth);
        difference = shift(s, code_of(partition, depth, digits), difference, items);
        s->answers[place_of(depth, digits)] += difference;
    }
}

int wm_merkle_sums_add(wm_merkle_sums *s, uint32_t key_hash, uint32_t item)
{
    if (s->rule == WM_MERKLE_PLAIN) {
        shift_plain(s, key_hash, item);
        return WM_OK;
    }
    if (!reserve(s)) return WM_ENOMEM;
    shift_mixed(s, key_hash, fmix32(item), 1);
    return WM_OK;
}

void wm_merkle_sums_remove(wm_merkle_sums *s, uint32_t key_hash, uint32_t item)
{
    if (s->rule == WM_MERKLE_PLAIN) shift_plain(s, key_hash, 0 - item);
    else shift_mixed(s, key_hash, 0 - fmix32(item), -1);
}

void wm_merkle_sums_change(wm_merkle_sums *s, uint32_t key_hash, uint32_t before, uint32_t after)
{
    if (s->rule == WM_MERKLE_PLAIN) shift_plain(s, key_hash, after - before);
    else shift_mixed(s, key_hash, fmix32(after) - fmix32(before), 0);
}

uint32_t wm_merkle_sums_root(const wm_merkle_sums *s)
{
    return s->answers[0];
}

uint32_t wm_merkle_sums_at(const wm_merkle_sums *s, uint32_t depth, uint32_t digits)
{
    return s->answers[place_of(depth, digits)];
}

size_t wm_merkle_sums_bytes(const wm_merkle_sums *s)
{
    return sizeof *s + (size_t)s->slot_count * sizeof *s->slots;
}

/* -- life -- */

wm_merkle_sums *wm_merkle_sums_new(wm_merkle_rule rule, uint32_t partitions)
{
    wm_merkle_sums *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->rule = rule;
    s->partitions = partitions;
    return s;
}

void wm_merkle_sums_free(wm_merkle_sums *s)
{
    if (s == NULL) return;
    free(s->slots);
    free(s);
}

void wm_merkle_sums_clear(wm_merkle_sums *s)
{
    memset(s->answers, 0, sizeof s->answers);
    if (s->slots != NULL) memset(s->slots, 0, (size_t)s->slot_count * sizeof *s->slots);
    s->used = 0;
}
