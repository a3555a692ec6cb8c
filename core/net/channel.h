#ifndef WM_CHANNEL_H
#define WM_CHANNEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "net/loop.h"
#include "net/tls.h"

/* A stream of bytes to one address: a TCP socket, with TLS after wm_channel_start_tls. It never blocks
 * and never raises SIGPIPE. */
typedef struct wm_channel wm_channel;

/* Called in an iteration of the loop when bytes can be read or written, as wm_channel_watch asked, or
 * when connecting has succeeded or failed. */
typedef void (*wm_channel_ready)(void *user);

/* Starts to connect to a numeric address. 0, or a negative errno: nothing was opened. */
int wm_channel_open(wm_loop *loop, const char *address, int port, wm_channel_ready ready, void *user, wm_channel **out);
/* Sets another owner. */
void wm_channel_pass_on(wm_channel *c, wm_channel_ready ready, void *user);
/* Sets what the owner waits for. While the channel connects, that is writing. */
void wm_channel_watch(wm_channel *c, bool reading, bool writing);

/* The result of connecting: 0, or a negative errno. */
int wm_channel_connected(const wm_channel *c);
/* Starts TLS for all bytes from now on. As wm_tls_new; false when that returns NULL. */
bool wm_channel_start_tls(wm_channel *c, wm_tls_settings *settings, const char *host, char *error, size_t size);
/* As the functions of wm_tls; without TLS they use the socket. */
int wm_channel_handshake(wm_channel *c);
ssize_t wm_channel_read(wm_channel *c, void *bytes, size_t size);
ssize_t wm_channel_write(wm_channel *c, const void *bytes, size_t len);
bool wm_channel_has_pending(const wm_channel *c);
/* Bytes that have arrived and were not read, those that TLS holds as one. A system call. */
size_t wm_channel_unread(const wm_channel *c);
/* A text for a negative result of these functions. Valid until the channel is closed. */
const char *wm_channel_problem(const wm_channel *c, ssize_t result);

/* Closes at once. */
void wm_channel_close(wm_channel *c);
/* Closes gracefully: writes `rest`, whose memory it takes over, and discards incoming bytes until the
 * other side has closed, for at most a second and not after the end of the loop. If bytes were left
 * unread, the system would reset the TCP connection, and the other side might not receive `rest`. */
void wm_channel_close_in_order(wm_channel *c, wm_buffer *rest);
#endif
