#include "net/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters that no host may have: they could split a request, or hide a user and a password before the
 * host. */
static bool is_plain(const char *text)
{
    for (; *text != 0; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f) return false;
    return true;
}

/* The host and where it ends; false when there is none. */
static bool read_host(const char *text, char *out, size_t size, const char **end)
{
    const char *host = text;
    size_t len;
    if (*text == '[') {
        host = text + 1;
        const char *bracket = strchr(host, ']');
        if (bracket == NULL) return false;
        len = (size_t)(bracket - host);
        *end = bracket + 1;
    } else {
        len = strcspn(text, ":/?#");
        *end = text + len;
    }
    if (len == 0 || len >= size || memchr(host, '@', len) != NULL) return false;
    memcpy(out, host, len);
    out[len] = 0;
    return true;
}

bool wm_url_authority(const char *text, int default_port, wm_url *out, const char **end)
{
    if (!is_plain(text) || !read_host(text, out->host, sizeof out->host, end)) return false;
    out->port = default_port;
    if (**end == ':') {
        char *after;
        long port = strtol(*end + 1, &after, 10);
        if (after == *end + 1 || port < 1 || port > 65535) return false;
        out->port = (int)port;
        *end = after;
    }
    return **end == 0 || **end == '/' || **end == '?';
}

bool wm_url_parse(const char *text, const char *default_path, wm_url *out)
{
    *out = (wm_url){0};
    if (strncmp(text, "ws://", 5) == 0) text += 5;
    else if (strncmp(text, "wss://", 6) == 0) {
        text += 6;
        out->tls = true;
    } else return false;
    if (!wm_url_authority(text, out->tls ? 443 : 80, out, &text)) return false;
    const char *path = *text == 0 || strcmp(text, "/") == 0 ? default_path : text;
    if (strlen(path) >= sizeof out->path) return false;
    strcpy(out->path, path);
    return true;
}

void wm_url_host_text(const wm_url *url, int default_port, char *out, size_t size)
{
    bool ipv6 = strchr(url->host, ':') != NULL;
    if (url->port == default_port) snprintf(out, size, ipv6 ? "[%s]" : "%s", url->host);
    else snprintf(out, size, ipv6 ? "[%s]:%d" : "%s:%d", url->host, url->port);
}
