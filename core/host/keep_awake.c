/* `wingman keep-awake`: keeps processors from halting, with processor time that is left over. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/commands.h"

static const char help[] =
    "usage: wingman keep-awake\n\n"
    "Keeps the processors of a virtual machine from halting, for measurements: the hypervisor\n"
    "gives a halted processor to others and may return it a millisecond late. One thread per\n"
    "processor runs whenever nothing else does (SCHED_IDLE), until standard input ends or a\n"
    "signal arrives. Other processes of the machine lose no time by it; a container's CPU quota\n"
    "is used up. `taskset -c LIST wingman keep-awake` keeps only some processors awake;\n"
    "`wingman run --keep-awake` does it for the duration of a load test.\n\n"
    "Prints \"N processors kept awake\" once they are.\n"
    "exit codes: 0 done, 1 the system does not allow it, 2 usage error\n";

/* What all threads share. */
static atomic_bool over;
static sem_t begun;
static int refusal; /* the errno of the thread that began last */

static void *stay_awake(void *user)
{
    (void)user;
    struct sched_param none = {0};
    refusal = sched_setscheduler(0, SCHED_IDLE, &none) == 0 ? 0 : errno;
    bool refused = refusal != 0;
    sem_post(&begun);
    /* No pause instruction: hypervisors take a processor that repeats it for an idle one. */
    while (!refused && !atomic_load_explicit(&over, memory_order_relaxed)) {
    }
    return NULL;
}

/* Starts a thread on a processor. 0, or an errno. */
static int occupy(int processor, pthread_t *thread)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_attr_t attr;
    int err = pthread_attr_init(&attr);
    if (err != 0) return err;
    err = pthread_attr_setaffinity_np(&attr, sizeof one, &one);
    if (err == 0) err = pthread_create(thread, &attr, stay_awake, NULL);
    pthread_attr_destroy(&attr);
    if (err != 0) return err;
    while (sem_wait(&begun) != 0) {
    }
    if (refusal != 0) pthread_join(*thread, NULL);
    return refusal;
}

/* With autogroup the kernel divides processors between sessions first, whatever the threads' policies
 * are. So this session gets the lowest priority, unless it is that of a shell, which must not become
 * slower. */
static void make_session_nice(void)
{
    if (getsid(0) != getpid()) return;
    FILE *f = fopen("/proc/self/autogroup", "w");
    if (f == NULL) return;
    fputs("19\n", f);
    fclose(f);
}

static void wait_for_end_of_input(void)
{
    char bytes[64];
    ssize_t n;
    while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR)) {
    }
}

static int refuse(const char *what, int err)
{
    fprintf(stderr, "wingman keep-awake: %s: %s\n", what, strerror(err));
    return HOST_FAILED;
}

int host_keep_awake(int argc, char **argv)
{
    if (argc > 1) {
        bool asked = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
        if (!asked) fprintf(stderr, "wingman keep-awake: '%s' is no option\n\n", argv[1]);
        fputs(help, asked ? stdout : stderr);
        return asked ? HOST_OK : HOST_USAGE;
    }
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return refuse("the processors are not known", errno);
    if (sem_init(&begun, 0, 0) != 0) return refuse("no semaphore", errno);
    make_session_nice();
    pthread_t threads[CPU_SETSIZE];
    int count = 0, err = 0;
    for (int i = 0; i < CPU_SETSIZE && err == 0; i++) {
        if (!CPU_ISSET(i, &allowed)) continue;
        err = occupy(i, &threads[count]);
        if (err == 0) count++;
    }
    if (err == 0) {
        printf("%d processor%s kept awake\n", count, count == 1 ? "" : "s");
        fflush(stdout);
        wait_for_end_of_input();
    }
    atomic_store(&over, true);
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    return err == 0 ? HOST_OK : refuse("a thread that runs only when nothing else wants to", err);
}
