#ifndef WM_VHOSTS_H
#define WM_VHOSTS_H
#include <stdint.h>

struct lws_context;
struct lws_protocols;
struct lws_vhost;

/* What libwebsockets calls a vhost: the protocol and the authorities of connections.
 * One for each CA file of a loop, for as long as the loop is there: version 4.1 never
 * frees a vhost that had connections when it was destroyed (some 840 bytes each). */
typedef struct wm_vhosts {
    char **names; /* the library keeps pointers to them */
    uint32_t count;
} wm_vhosts;

/* The vhost for `ca_file` (NULL: the system's authorities), made at the first call for
 * it and again when the file has changed. NULL when it cannot be made. `protocols` is
 * static and always the same. */
struct lws_vhost *wm_vhosts_get(wm_vhosts *v, struct lws_context *context, const struct lws_protocols *protocols,
                                const char *ca_file);
/* To be called when the context is destroyed. */
void wm_vhosts_close(wm_vhosts *v);
#endif
