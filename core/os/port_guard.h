#ifndef WM_PORT_GUARD_H
#define WM_PORT_GUARD_H
#include <stdbool.h>

/* Reserves a TCP port of 127.0.0.1 for a program that listens there later, or now and then, by a socket that is bound and
 * does not listen. Meanwhile connections to the port are refused, and the system does not give it to a program that asks
 * for any free port.
 *
 * A shared port can be listened at by a program that sets SO_REUSEADDR, as servers do. A port that is not shared cannot:
 * on Linux SO_REUSEADDR has no effect unless the socket that took the port had set it, too. */

/* Takes the port, or any for 0, which is set then. A socket to close at the end; -1 when it cannot be had. */
int wm_port_guard_open(int *port, bool is_shared);
void wm_port_guard_share(int guard, bool is_shared);
#endif
