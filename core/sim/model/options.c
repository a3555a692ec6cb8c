#include "sim/model/options.h"

#include <stdio.h>
#include <sys/random.h>

const char *sim_options_hash(const sim_options *o)
{
    for (uint32_t i = 1; i < o->nodes; i++)
        if (o->hashes[i] != o->hashes[0]) return "mixed";
    return o->hashes[0] == WM_HASH_XXH64 ? "xxh64" : "fnv1a";
}

const char *sim_options_random_secret(void)
{
    static char secret[33];
    uint8_t bytes[16];
    if (secret[0] != '\0') return secret;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return "wingman-sim";
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(secret + i * 2, 3, "%02x", bytes[i]);
    return secret;
}
