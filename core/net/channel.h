#ifndef WM_CHANNEL_H
#define WM_CHANNEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "net/loop.h"
#include "net/tls.h"

/* A stream of bytes to one address: a TCP socket that the loop watches and, once that
 * was asked for, TLS on it. Never blocks, never sends SIGPIPE. */
typedef struct wm_channel wm_channel;

/* Bytes can be read or written, or the connection has come about or failed: called in a
 * turn of the loop for what was asked for with wm_channel_watch. */
typedef void (*wm_channel_ready)(void *user);

/* Begins to connect to a numeric address. 0, or a negative errno: nothing was opened. */
int wm_channel_open(wm_loop *loop, const char *address, int port, wm_channel_ready ready, void *user, wm_channel **out);
/* Another owner. */
void wm_channel_pass_on(wm_channel *c, wm_channel_ready ready, void *user);
/* What the owner waits for. Before the connection has come about: writing. */
void wm_channel_watch(wm_channel *c, bool reading, bool writing);

/* How the connecting went: 0, or a negative errno. */
int wm_channel_connected(const wm_channel *c);
/* From here on what is read and written is inside of TLS. As wm_tls_new; false when it
 * returns NULL. */
bool wm_channel_start_tls(wm_channel *c, wm_tls_settings *settings, const char *host, char *error, size_t size);
/* As the calls of wm_tls; without TLS, the bytes of the socket. */
int wm_channel_handshake(wm_channel *c);
ssize_t wm_channel_read(wm_channel *c, void *bytes, size_t size);
ssize_t wm_channel_write(wm_channel *c, const void *bytes, size_t len);
bool wm_channel_has_pending(const wm_channel *c);
/* The words for a negative result of these calls. Valid until the channel is closed. */
const char *wm_channel_problem(const wm_channel *c, ssize_t result);

/* Closes at once. */
void wm_channel_close(wm_channel *c);
/* Closes in order: writes `rest`, whose memory it takes, reads and forgets what comes until
 * the other side has closed, at most for a second or as long as the loop is there. What
 * was not read would make the system reset the connection, and the other side might
 * not get to read the rest. */
void wm_channel_close_in_order(wm_channel *c, wm_buffer *rest);
#endif
