#ifndef WM_URL_H
#define WM_URL_H
#include <stdbool.h>
#include <stddef.h>

/* Where a server is. */
typedef struct wm_url {
    char host[256]; /* a name or an address, without brackets */
    char path[512];
    int port;
    bool tls;
} wm_url;

/* Reads ws://host[:port][/path] or wss://...; IPv6 addresses in brackets. The
 * path is `default_path` when there is none. False when it is not of that form; a user
 * and a password before the host are none (a TopGun server is shown a token), nor are
 * spaces and control characters. */
bool wm_url_parse(const char *text, const char *default_path, wm_url *out);
/* Reads "host[:port]" with the port `default_port` when there is none, up to the end of
 * the text or a '/', '?' or '#', where *end then points. False when it is not of that form. */
bool wm_url_authority(const char *text, int default_port, wm_url *out, const char **end);
/* The authority as a Host header has it: with brackets around an IPv6 address, and the
 * port unless it is `default_port`. */
void wm_url_host_text(const wm_url *url, int default_port, char *out, size_t size);
#endif
