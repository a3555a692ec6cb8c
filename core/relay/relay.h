#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

/* `wingman relay`: forwards TCP connections, with a pause after each of the first frames, and without
 * heartbeats. topgun://N puts it between the nodes of a real cluster: server 2.2.0 drops bytes that
 * arrive together with a frame of its handshake, so its clusters seldom form on one machine; and it
 * suspects a node for ever once its heartbeat was late. argv[0] is "relay". Returns the exit code. */
int wm_relay_main(int argc, char **argv);
#endif
