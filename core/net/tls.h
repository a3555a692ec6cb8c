#ifndef WM_TLS_H
#define WM_TLS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* TLS of a client over a non-blocking socket, by OpenSSL. */

/* What connections share: the authorities, a certificate of our own. Read again when a
 * file has changed, for the connections from then on. Single-threaded. */
typedef struct wm_tls_settings wm_tls_settings;
/* One connection's. */
typedef struct wm_tls wm_tls;

typedef struct wm_tls_files {
    const char *ca_file;   /* PEM; NULL: the system's authorities */
    const char *cert_file; /* PEM, our own and those between it and its authority; NULL: none */
    const char *key_file;  /* PEM, its key; NULL when cert_file is */
} wm_tls_files;

/* Reads the files, the system's when they are needed. NULL when that fails; `error` then names the option (tls.ca_file, ...),
 * the file, and what is wrong. `verify`: false accepts any certificate. */
wm_tls_settings *wm_tls_settings_new(const wm_tls_files *files, bool verify, char *error, size_t size);
/* Connections that were opened may outlive them. */
void wm_tls_settings_free(wm_tls_settings *s);

/* Begins on a connected socket, which stays the caller's. `host` is the name that the
 * certificate has to be for, and the one that the server is told (SNI) unless it is an
 * address (RFC 6066, section 3). NULL when a file has changed and cannot be read any
 * more, or out of memory: `error` says which. */
wm_tls *wm_tls_new(wm_tls_settings *s, int fd, const char *host, char *error, size_t size);
/* Says no farewell. */
void wm_tls_free(wm_tls *t);

/* All of these return -EAGAIN when the socket is not ready for what TLS has to do (wm_tls_waits_for_room
 * says which way), -EPROTO when TLS failed (wm_tls_problem says how), or the negative
 * errno of the socket. */

/* 0 when it is through. */
int wm_tls_handshake(wm_tls *t);
/* The bytes read; 0 at the end. */
ssize_t wm_tls_read(wm_tls *t, void *bytes, size_t size);
/* The bytes written, some of them at least. What was refused with -EAGAIN has to come first the next
 * time. */
ssize_t wm_tls_write(wm_tls *t, const void *bytes, size_t len);
/* Tells the other side that nothing more will come. */
void wm_tls_shutdown(wm_tls *t);

/* Whether the last call waits for room in the socket, and not for bytes in it. */
bool wm_tls_waits_for_room(const wm_tls *t);
/* Whether bytes were taken from the socket that nobody has read yet. */
bool wm_tls_has_pending(const wm_tls *t);
/* What failed, in words. Valid as long as the session. */
const char *wm_tls_problem(const wm_tls *t);
#endif
