#ifndef WM_URL_H
#define WM_URL_H
#include <stdbool.h>
#include <stddef.h>

/* The parts of a URL. */
typedef struct wm_url {
    char host[256]; /* a name or an address, without brackets */
    char path[512];
    int port;
    bool tls;
} wm_url;

/* Parses ws://host[:port][/path] or wss://..., with IPv6 addresses in brackets. Without a path it is
 * `default_path`. False for any other text, also for a URL with a user and a password (TopGun servers
 * take tokens), spaces or control characters. */
bool wm_url_parse(const char *text, const char *default_path, wm_url *out);
/* Parses "host[:port]" up to the end of the text, or up to a '/', '?' or '#', to which *end points
 * then. Without a port it is `default_port`. False for any other text. */
bool wm_url_authority(const char *text, int default_port, wm_url *out, const char **end);
/* Writes host and port as in a Host header: an IPv6 address in brackets, the port unless it is
 * `default_port`. */
void wm_url_host_text(const wm_url *url, int default_port, char *out, size_t size);
#endif
