#include "sim/wire/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ELEMENTS 16

static void *checked(void *p)
{
    if (p != NULL) return p;
    fputs("wingman sim: out of memory\n", stderr);
    abort();
}

void *sim_alloc(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *sim_realloc(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1));
}

char *sim_copy(const void *bytes, size_t len)
{
    char *copy = sim_realloc(NULL, len + 1);
    if (len > 0) memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

void *sim_grow(void *old, uint32_t *cap, uint32_t need, size_t element)
{
    if (need <= *cap) return old;
    uint32_t grown = *cap ? *cap : FIRST_ELEMENTS;
    while (grown < need) grown *= 2;
    *cap = grown;
    return sim_realloc(old, grown * element);
}
