#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

/* `wingman relay`: passes TCP connections on, the first frames of each with a
 * pause between them. topgun://N puts it between the nodes of a real cluster:
 * server 2.2.0 drops what arrives together with a frame of its handshake, so that
 * on one machine its clusters seldom form. argv[0] is "relay". The exit code. */
int wm_relay_main(int argc, char **argv);
#endif
