#include "replica/node_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

typedef struct wanted_name {
    const char *text;
    size_t len;
} wanted_name;

static bool is_called(const void *names, uint32_t place, const void *name)
{
    const char *known = ((char *const *)names)[place];
    const wanted_name *wanted = name;
    return strlen(known) == wanted->len && memcmp(known, wanted->text, wanted->len) == 0;
}

void wm_node_names_close(wm_node_names *n)
{
    for (uint32_t i = 0; i < n->count; i++) free(n->all[i]);
    free(n->all);
    wm_name_index_close(&n->index);
    *n = (wm_node_names){0};
}

static bool add(wm_node_names *n, uint32_t hash, const char *name, size_t len)
{
    char **grown = realloc(n->all, (n->count + 1) * sizeof *grown);
    if (grown == NULL) return false;
    n->all = grown;
    char *copy = malloc(len + 1);
    if (copy == NULL) return false;
    memcpy(copy, name, len);
    copy[len] = 0;
    if (!wm_name_index_add(&n->index, hash, n->count)) {
        free(copy);
        return false;
    }
    n->all[n->count++] = copy;
    return true;
}

bool wm_node_names_rename(wm_node_names *n, uint32_t number, const char *name)
{
    char *copy = strdup(name);
    if (copy == NULL) return false;
    if (!wm_name_index_add(&n->index, wm_hash_fnv1a(name, strlen(name)), number)) {
        free(copy);
        return false;
    }
    free(n->all[number]);
    n->all[number] = copy;
    return true;
}

bool wm_node_names_intern(wm_node_names *n, const char *name, size_t len, uint32_t *out)
{
    uint32_t hash = wm_hash_fnv1a(name, len);
    wanted_name wanted = {name, len};
    *out = wm_name_index_find(&n->index, hash, is_called, n->all, &wanted);
    if (*out != WM_NO_NAME) return true;
    if (!add(n, hash, name, len)) return false;
    *out = n->count - 1;
    return true;
}
