/* Preloaded into wingman: fails one allocation of its own code, the number WINGMAN_FAIL_AT (from
 * 1), and no other. Those of libraries are not counted: what they do when memory runs out
 * is theirs. The number of allocations is written to WINGMAN_COUNT_TO at the end. Children
 * of the process are left alone. A script can order others to fail: fail_allocations. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long fail_at, count;
static char count_to[4096];
static int is_on;
/* What fail_allocations orders. */
static size_t least, most;
static unsigned long to_skip, to_fail;

/* Of the allocations to come of `min` to `max` bytes `skip` succeed and then `fail_count` fail; for
 * the thread that calls it. */
void fail_allocations(size_t min, size_t max, unsigned long skip, unsigned long fail_count)
{
    least = min;
    most = max;
    to_skip = skip;
    to_fail = fail_count;
}

static int is_ordered(size_t size)
{
    if (to_fail == 0 || size < least || size > most) return 0;
    if (to_skip > 0) {
        to_skip--;
        return 0;
    }
    to_fail--;
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("WINGMAN_FAIL_AT"), *to = getenv("WINGMAN_COUNT_TO");
    if (to != NULL) snprintf(count_to, sizeof count_to, "%s", to);
    if (at == NULL) return;
    is_on = 1;
    fail_at = strtoul(at, NULL, 10);
    unsetenv("WINGMAN_FAIL_AT");
    unsetenv("WINGMAN_COUNT_TO");
}

__attribute__((destructor)) static void end(void)
{
    FILE *f = is_on && count_to[0] != 0 ? fopen(count_to, "w") : NULL;
    if (f == NULL) return;
    fprintf(f, "%lu\n", count);
    fclose(f);
}

static int is_in_ours(const void *caller)
{
    static const char *const ours[] = {"/wingman", "/wingman/core.so"};
    Dl_info info;
    if (dladdr(caller, &info) == 0 || info.dli_fname == NULL) return 0;
    size_t len = strlen(info.dli_fname);
    for (int i = 0; i < 2; i++) {
        size_t tail = strlen(ours[i]);
        if (len >= tail && strcmp(info.dli_fname + len - tail, ours[i]) == 0) return 1;
    }
    return 0;
}

/* OpenSSL allocates a hundred thousand times when it reads certificates: what is known of a
 * caller is kept. */
static int is_ours(const void *caller)
{
    static __thread int is_asking; /* dladdr may allocate */
    static __thread struct {
        const void *caller;
        int is_ours;
    } known[4096];
    unsigned long at = (uintptr_t)caller % 4093;
    if (!is_on || is_asking) return 0;
    if (known[at].caller == caller) return known[at].is_ours;
    is_asking = 1;
    known[at].is_ours = is_in_ours(caller);
    known[at].caller = caller;
    is_asking = 0;
    return known[at].is_ours;
}

/* Whether the allocation that `caller` asks for is one to fail. */
static int fails(const void *caller, size_t size)
{
    if (!is_ours(caller)) return 0;
    int is_the_one = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) == fail_at;
    if (!is_ordered(size) && !is_the_one) return 0;
    errno = ENOMEM;
    return 1;
}

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0), size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0), n * size) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return fails(__builtin_return_address(0), size) ? NULL : __libc_realloc(p, size);
}

char *strdup(const char *s)
{
    size_t len = strlen(s) + 1;
    char *copy = fails(__builtin_return_address(0), len) ? NULL : __libc_malloc(len);
    return copy != NULL ? memcpy(copy, s, len) : NULL;
}
