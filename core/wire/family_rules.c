#include "wire/family_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/msgpack.h"

#define INT64_LEAD 0xd3
#define UINT64_LEAD 0xcf
#define FLOAT64_LEAD 0xcb
#define EXACT_MAX (UINT64_C(1) << 53)

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool begins_with(const char *name, size_t len, const char *start)
{
    size_t n = strlen(start);
    return len >= n && memcmp(name, start, n) == 0;
}

static bool ends_with(const char *name, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len >= n && memcmp(name + len - n, end, n) == 0;
}

bool wm_v2_stores_map(const char *name, size_t len)
{
    if (len == 0 || !is_letter(name[0])) return false;
    for (size_t i = 1; i < len; i++)
        if (!is_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9')) return false;
    return !begins_with(name, len, "_topgun_") && !begins_with(name, len, "__topgun_") && !ends_with(name, len, "__backup");
}

/* -- integers of 64 bits -------------------------------------------------------------- */

typedef struct walk {
    wm_mp_reader at;
    uint8_t *value;
    const uint8_t *start;
    char *path;
    size_t size;
} walk;

/* Most values have neither byte, and need no walk. */
static bool may_have_64_bits(const uint8_t *value, size_t len)
{
    return memchr(value, INT64_LEAD, len) != NULL || memchr(value, UINT64_LEAD, len) != NULL;
}

static bool as_float64(uint8_t *at, const wm_mp_item *it)
{
    bool fits = it->kind == WM_MP_UINT ? it->u <= EXACT_MAX : it->i >= -(int64_t)EXACT_MAX;
    if (!fits) return false;
    double v = it->kind == WM_MP_UINT ? (double)it->u : (double)it->i;
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = __builtin_bswap64(bits);
    at[0] = FLOAT64_LEAD;
    memcpy(at + 1, &bits, sizeof bits);
    return true;
}

static bool numbers_fit(walk *w, size_t path_len);

static size_t add_step(walk *w, size_t path_len, const char *format, int key_len, const void *what, uint32_t index)
{
    size_t left = w->size - path_len;
    int n = what != NULL ? snprintf(w->path + path_len, left, format, key_len, (const char *)what)
                         : snprintf(w->path + path_len, left, format, index);
    return n < 0 || (size_t)n >= left ? w->size - 1 : path_len + (size_t)n;
}

static bool map_fits(walk *w, uint32_t count, size_t path_len)
{
    for (uint32_t i = 0; i < count; i++) {
        wm_mp_item key;
        wm_mp_reader key_at = w->at;
        bool is_text = wm_mp_read(&key_at, &key) >= 0 && key.kind == WM_MP_STR;
        if (!is_text && !numbers_fit(w, path_len)) return false;
        if (is_text) w->at = key_at;
        size_t below = is_text ? add_step(w, path_len, path_len > 0 ? ".%.*s" : "%.*s", (int)key.len, key.bytes, 0) : path_len;
        if (!numbers_fit(w, below)) return false;
    }
    return true;
}

/* The current value; true for bytes that are not MessagePack, which another check refuses. */
static bool numbers_fit(walk *w, size_t path_len)
{
    uint8_t *at = w->value + (w->at.pos - w->start);
    wm_mp_item it;
    if (wm_mp_read(&w->at, &it) < 0) return true;
    w->path[path_len] = '\0';
    if ((*at == INT64_LEAD || *at == UINT64_LEAD)) return as_float64(at, &it);
    if (it.kind == WM_MP_MAP) return map_fits(w, it.count, path_len);
    if (it.kind != WM_MP_ARRAY) return true;
    for (uint32_t i = 0; i < it.count; i++)
        if (!numbers_fit(w, add_step(w, path_len, "[%u]", 0, NULL, i + 1))) return false;
    return true;
}

bool wm_js_integers(uint8_t *value, size_t len, char *path, size_t size)
{
    path[0] = '\0';
    if (!may_have_64_bits(value, len)) return true;
    if (wm_mp_skip(&(wm_mp_reader){value, value + len}) < 0) return true; /* too deep to walk, or no value */
    walk w = {.value = value, .start = value, .path = path, .size = size};
    wm_mp_reader_init(&w.at, value, len);
    return numbers_fit(&w, 0);
}
