/* Counts heap allocations of the process that it is preloaded into; compiled by
 * hot_path.lua when it runs. (LuaJIT's own objects do not come from malloc.) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

static uint64_t count;
static char early[65536]; /* dlsym itself allocates before the real ones are known */
static size_t early_used;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

uint64_t malloc_count(void)
{
    return count;
}

static void find_real(void)
{
    real_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    real_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
}

static void *take_early(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof early - early_used) return NULL;
    void *p = early + early_used;
    early_used += size;
    return p;
}

static int is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof early;
}

void *malloc(size_t size)
{
    static int finding;
    if (real_malloc == NULL && !finding) {
        finding = 1;
        find_real();
    }
    if (real_malloc == NULL) return take_early(size);
    count++;
    return real_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    if (real_calloc == NULL) return take_early(n * size); /* zeroed, being static */
    count++;
    return real_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    if (real_realloc == NULL) find_real();
    count++;
    return real_realloc(p, size);
}

void free(void *p)
{
    if (is_early(p)) return;
    if (real_free == NULL) find_real();
    real_free(p);
}
