#include "wire/refusal.h"

#include <string.h>

typedef struct known_words {
    wm_refusal_kind kind;
    const char *begin;  /* the words begin with this, or hold it when they are about the server */
    const char *behind; /* what must follow the name of the map, or the figures */
    bool is_rate;
} known_words;

/* Of the v2 server, 2.2.0 and newer; each of the first three is the Display form of one of its
 * errors. A reserved name is refused with the words of an access rule. 0.11 refuses no write
 * of an OP_BATCH. */
static const known_words table[] = {
    {WM_REFUSAL_MAP, "write access denied for map: ", "", false},
    {WM_REFUSAL_IN_MAP, "schema validation failed for map '", "'", false},
    {WM_REFUSAL_WRITE, "value size ", " exceeds maximum ", false},
    {WM_REFUSAL_BUSY, "capacity exceeded", NULL, true},
    {WM_REFUSAL_BUSY, "overloaded", NULL, false},
    {WM_REFUSAL_BUSY, "rate limit", NULL, true},
    {WM_REFUSAL_BUSY, "timed out", NULL, false},
    {WM_REFUSAL_BUSY, "authentication required", NULL, false},
};

/* Numbers that speak of the server whatever the words. */
static bool is_busy_code(uint64_t code)
{
    return code == 401 || code == 429 || code == 504;
}

/* Numbers that 0.11 refuses other requests with: an access rule of a map, a topic or a lock
 * (it looks at none for a batch), the sync of an OR map, the journal, a lock whose owner is
 * gone. v2 says 501 of a service that it has not, and refuses batches with 429 and 500. */
static bool is_other_code(uint64_t code)
{
    return code == 403 || code == 501 || code == 503;
}

static bool matches(const known_words *k, const char *words, size_t len, wm_refusal *out)
{
    size_t begin = strlen(k->begin);
    if (k->behind == NULL) return memmem(words, len, k->begin, begin) != NULL;
    if (len < begin || memcmp(words, k->begin, begin) != 0) return false;
    const char *name = words + begin;
    const char *end = words + len;
    if (k->behind[0] != '\0') end = memmem(name, len - begin, k->behind, strlen(k->behind));
    if (end == NULL) return false;
    if (k->kind == WM_REFUSAL_WRITE) return true;
    out->map = name;
    out->map_len = (size_t)(end - name);
    return out->map_len > 0;
}

wm_refusal wm_refusal_of(uint64_t code, const char *words, size_t len)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        wm_refusal found = {.kind = table[i].kind, .is_rate = table[i].is_rate};
        if (matches(&table[i], words, len, &found)) return found;
    }
    if (is_other_code(code)) return (wm_refusal){.kind = WM_REFUSAL_OTHER};
    return (wm_refusal){.kind = is_busy_code(code) ? WM_REFUSAL_BUSY : WM_REFUSAL_UNKNOWN};
}
