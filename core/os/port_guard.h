#ifndef WM_PORT_GUARD_H
#define WM_PORT_GUARD_H
#include <stdbool.h>

/* Keeps a TCP port of 127.0.0.1 for one who listens there later, or now and then: a socket that is bound and does not
 * listen. Connections to the port are refused meanwhile, and the system gives it to nobody who takes any port.
 *
 * A port is either shared: who sets SO_REUSEADDR, as servers do, can listen there. Or it is not: nobody can. On
 * Linux that is so for a port that nobody shared when it was taken, whatever others set. */

/* Takes the port, or any for 0, which is set then. A socket to close at the end; -1 when it cannot be had. */
int wm_port_guard_open(int *port, bool is_shared);
void wm_port_guard_share(int guard, bool is_shared);
#endif
