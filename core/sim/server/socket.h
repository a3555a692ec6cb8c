#ifndef SIM_SOCKET_H
#define SIM_SOCKET_H
#include "sim/model/state.h"

/* A client's TCP connection: the upgrade, frames in and out. Output is buffered, and written
 * before and after each poll of the loop. */
typedef struct sim_socket sim_socket;

/* Accepts the connection that waits at the node's listener. */
void sim_socket_accept(sim_node *n);
/* In place of a session's number: all connections of a node. */
#define SIM_ALL_SESSIONS 0u
/* Ends a session's connection, or all of the node, at once: by RST, or by FIN after the buffered output. */
void sim_sockets_drop(sim_node *n, uint64_t session, bool reset);
/* Sets TCP_NODELAY of all connections of the node, as its fault `nagle` says. */
void sim_sockets_update_nagle(sim_node *n);
/* Makes all present connections of the node half-open: their sessions end, and the TCP connections
 * stay open without a word to the clients. Later connections are not affected. */
void sim_sockets_abandon(sim_node *n);
/* Closes a session, or all of the node, with this code; 0: without a code. */
void sim_sockets_close(sim_node *n, uint64_t session, int code, const char *reason);
/* How bytes are sent: as the payload of a frame, or without a frame. */
typedef enum sim_sent_as {
    SIM_SENT_BINARY,
    SIM_SENT_TEXT,
    SIM_SENT_RAW,
} sim_sent_as;
/* Sends bytes on all connections of the node that are upgraded; copies them. */
void sim_sockets_send(sim_node *n, sim_sent_as as, const uint8_t *bytes, size_t len);
/* Stop and continue reading and writing on all connections of the node. */
void sim_sockets_pause(sim_node *n);
void sim_sockets_resume(sim_node *n);
/* Writes the buffered output of all sockets. */
void sim_sockets_flush(sim_cluster *c);
#endif
