/* The bare loop that hash + route in C is measured against, and the loop that calls
 * it: compiled by hot_path.lua when it runs. Times are nanoseconds per key. */
#define _POSIX_C_SOURCE 200809L
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef int (*index_of_key)(const void *client, const char *key, size_t len);

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint32_t fnv1a(const char *key, size_t len)
{
    uint32_t h = UINT32_C(0x811c9dc5);
    for (size_t i = 0; i < len; i++) h = (h ^ (uint8_t)key[i]) * UINT32_C(0x01000193);
    return h;
}

/* Keys of `len` bytes each, one after the other. */
double bare_hash(const char *keys, size_t len, size_t count, size_t rounds, uint32_t *sum)
{
    double begin = now_ns();
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < count; i++) *sum += fnv1a(keys + i * len, len);
    return (now_ns() - begin) / (double)(rounds * count);
}

double hash_and_route(index_of_key call, const void *client, const char *keys, size_t len, size_t count, size_t rounds,
                      uint32_t *sum)
{
    double begin = now_ns();
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < count; i++) *sum += (uint32_t)call(client, keys + i * len, len);
    return (now_ns() - begin) / (double)(rounds * count);
}
