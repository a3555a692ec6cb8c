#ifndef WM_INTERRUPTION_H
#define WM_INTERRUPTION_H
#include <signal.h>

/* A signal that asks the process to end, on its way from the executable's handler to
 * the loop of its Lua state. The executable owns it and puts its address into the
 * registry, as light userdata under this key; where there is none (the module in a host
 * of somebody else) nothing here has to do with signals. */
#define WM_INTERRUPTION_KEY "wingman.interruption"

typedef struct wm_interruption {
    volatile sig_atomic_t signal; /* its number; 0: none came */
    volatile sig_atomic_t taken;  /* the loop knows of it */
    volatile sig_atomic_t expected; /* the module is loaded: there is or will be a loop */
    void (*volatile wake)(void *loop); /* ends the loop's wait, from within a handler; NULL: there is no loop */
    void *volatile loop;
} wm_interruption;

/* "SIGINT", "SIGTERM" or "SIGHUP": what scripts call the signals that ask them to end. Static. */
static inline const char *wm_interruption_name(int signal)
{
    if (signal == SIGTERM) return "SIGTERM";
    return signal == SIGHUP ? "SIGHUP" : "SIGINT";
}
#endif
