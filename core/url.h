#ifndef WM_URL_H
#define WM_URL_H
#include <stdbool.h>

/* Where a server is. */
typedef struct wm_url {
    char host[256]; /* a name or an address, without brackets */
    char path[512];
    int port;
    bool tls;
} wm_url;

/* Reads ws://host[:port][/path] or wss://...; IPv6 addresses in brackets. The
 * path is `default_path` when there is none. False when it is not of that form. */
bool wm_url_parse(const char *text, const char *default_path, wm_url *out);
#endif
