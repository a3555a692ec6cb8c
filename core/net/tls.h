#ifndef WM_TLS_H
#define WM_TLS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* TLS of a client over a non-blocking socket, by OpenSSL. */

/* The authorities and the client certificate that connections share. Files that have changed are read
 * again for later connections. Single-threaded. */
typedef struct wm_tls_settings wm_tls_settings;
/* TLS of one connection. */
typedef struct wm_tls wm_tls;

typedef struct wm_tls_files {
    const char *ca_file;   /* PEM; NULL: the system's authorities */
    const char *cert_file; /* PEM: the client's certificate, then intermediate ones; NULL: none */
    const char *key_file;  /* PEM: the key of cert_file; NULL when that is NULL */
} wm_tls_files;

/* Reads the files, the system's when they are needed. NULL when that fails; `error` then names the
 * option (tls.ca_file, ...), the file, and what is wrong. `verify`: false accepts any certificate. */
wm_tls_settings *wm_tls_settings_new(const wm_tls_files *files, bool verify, char *error, size_t size);
/* Open connections may outlive the settings. */
void wm_tls_settings_free(wm_tls_settings *s);

/* Starts TLS on a connected socket, which the caller still owns. The server's certificate must be for
 * `host`, which is also sent to the server (SNI) unless it is an address (RFC 6066, section 3). NULL
 * with the reason in `error` when a changed file cannot be read, or out of memory. */
wm_tls *wm_tls_new(wm_tls_settings *s, int fd, const char *host, char *error, size_t size);
/* Frees without sending anything to the other side. */
void wm_tls_free(wm_tls *t);

/* These return -EAGAIN when the socket is not ready (for what: wm_tls_waits_to_write), -EPROTO when TLS
 * failed (why: wm_tls_problem), or the negative errno of the socket. */

/* Returns 0 when the handshake is done. */
int wm_tls_handshake(wm_tls *t);
/* Returns the number of bytes read; 0 at the end of the stream. */
ssize_t wm_tls_read(wm_tls *t, void *bytes, size_t size);
/* Returns the number of bytes written, at least 1. After -EAGAIN the next call must begin with the same
 * bytes. */
ssize_t wm_tls_write(wm_tls *t, const void *bytes, size_t len);
/* Sends the end of the stream to the other side. */
void wm_tls_shutdown(wm_tls *t);

/* After -EAGAIN: whether the socket must become writable, not readable. */
bool wm_tls_waits_to_write(const wm_tls *t);
/* Whether bytes that were received are left to read without the socket. */
bool wm_tls_has_pending(const wm_tls *t);
/* A text for the last failure. Valid as long as `t`. */
const char *wm_tls_problem(const wm_tls *t);
#endif
