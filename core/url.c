#include "url.h"

#include <stdlib.h>
#include <string.h>

bool wm_url_parse(const char *text, const char *default_path, wm_url *out)
{
    *out = (wm_url){0};
    if (strncmp(text, "ws://", 5) == 0) text += 5;
    else if (strncmp(text, "wss://", 6) == 0) {
        text += 6;
        out->tls = true;
    } else return false;
    const char *host = text;
    size_t host_len;
    if (*text == '[') {
        host = text + 1;
        const char *end = strchr(host, ']');
        if (end == NULL) return false;
        host_len = (size_t)(end - host);
        text = end + 1;
    } else {
        host_len = strcspn(text, ":/?#");
        text += host_len;
    }
    if (host_len == 0 || host_len >= sizeof out->host) return false;
    memcpy(out->host, host, host_len);
    out->port = out->tls ? 443 : 80;
    if (*text == ':') {
        char *end;
        long port = strtol(text + 1, &end, 10);
        if (end == text + 1 || port < 1 || port > 65535) return false;
        out->port = (int)port;
        text = end;
    }
    if (*text != 0 && *text != '/' && *text != '?') return false;
    const char *path = *text == 0 || strcmp(text, "/") == 0 ? default_path : text;
    if (strlen(path) >= sizeof out->path) return false;
    strcpy(out->path, path);
    return true;
}
