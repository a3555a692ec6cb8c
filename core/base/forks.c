#include "base/forks.h"

#include <pthread.h>

static unsigned forks;

static void count(void)
{
    forks++;
}

/* Not at the first question, which may be asked in a child already. */
__attribute__((constructor)) static void watch(void)
{
    pthread_atfork(NULL, NULL, count);
}

unsigned wm_forks(void)
{
    return forks;
}
