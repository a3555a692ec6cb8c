#ifndef WM_INTERRUPTION_H
#define WM_INTERRUPTION_H
#include <signal.h>

/* Passes a signal that asks the process to end from the executable's handler to the loop of its Lua
 * state. The executable owns it and puts its address, as light userdata, under this key into the
 * registry. In other hosts there is none, and the module leaves signals alone. */
#define WM_INTERRUPTION_KEY "wingman.interruption"

typedef struct wm_interruption {
    volatile sig_atomic_t signal;      /* its number; 0: none */
    volatile sig_atomic_t taken;       /* the loop has taken it */
    volatile sig_atomic_t expected;    /* the module is loaded, so there is or will be a loop */
    void (*volatile wake)(void *loop); /* ends the loop's wait, from within a handler; NULL: there is no loop */
    void *volatile loop;
} wm_interruption;

/* The name of such a signal for scripts: "SIGINT", "SIGTERM" or "SIGHUP". Static. */
static inline const char *wm_interruption_name(int signal)
{
    if (signal == SIGTERM) return "SIGTERM";
    return signal == SIGHUP ? "SIGHUP" : "SIGINT";
}
#endif
