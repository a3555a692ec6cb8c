#ifndef SIM_SOCKET_H
#define SIM_SOCKET_H
#include "sim/model/state.h"

/* A client's TCP connection: the upgrade, frames in and out. Output is gathered
 * and written once per turn of the loop. */
typedef struct sim_socket sim_socket;

/* Accepts the connection that waits at the node's listener. */
void sim_socket_accept(sim_node *n);
/* Ends every connection of the node: with RST, or by FIN after what is written. */
void sim_sockets_drop(sim_node *n, bool reset);
/* Half-open: the node knows nothing of its present connections any more, and their
 * clients hear nothing of that. New ones are as ever. */
void sim_sockets_abandon(sim_node *n);
/* A close frame with this code to every client of the node. */
void sim_sockets_close(sim_node *n, int code, const char *reason);
/* How given bytes leave: as the payload of a frame, or as they are. */
typedef enum sim_sent_as {
    SIM_SENT_BINARY,
    SIM_SENT_TEXT,
    SIM_SENT_RAW,
} sim_sent_as;
/* Sends bytes to every client of the node whose connection is upgraded. */
void sim_sockets_send(sim_node *n, sim_sent_as as, const uint8_t *bytes, size_t len);
/* Stops and goes on reading and writing. */
void sim_sockets_pause(sim_node *n);
void sim_sockets_resume(sim_node *n);
/* Writes what has gathered on all sockets. */
void sim_sockets_flush(sim_cluster *c);
#endif
